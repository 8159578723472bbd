package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// mainListener is the name of a set-up's own listener, and of its statistics.
const mainListener = "gate"

// Bootstrap renders the set-up as Envoy's JSON.
func Bootstrap(s EnvoySetup) ([]byte, error) {
	own, err := envoyListener(mainListener, s)
	if err != nil {
		return nil, err
	}
	listeners := []object{own}
	for _, name := range slices.Sorted(maps.Keys(s.Beside)) {
		other := s
		other.Port = 0
		s.Beside[name](&other)
		listener, err := envoyListener(name, other)
		if err != nil {
			return nil, err
		}
		listeners = append(listeners, listener)
	}
	clusters, err := staticClusters(s)
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(object{
		"node":             object{"id": "e2e", "cluster": "e2e"}, // for configuration that is discovered
		"admin":            object{"address": loopback(0)},
		"stats_config":     object{"stats_tags": s.Tags},
		"static_resources": object{"listeners": listeners, "clusters": clusters},
	}, "", "  ")
}

func envoyListener(name string, s EnvoySetup) (object, error) {
	filters := slices.Clone(s.Before)
	if s.Config != nil {
		wasm, err := wasmFilter(s)
		if err != nil {
			return nil, err
		}
		filters = append(filters, wasm)
	}
	filters = append(filters, s.Filters...)
	filters = append(filters, typed("envoy.filters.http.router",
		"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router", nil))
	listener := object{
		"name": name, "stat_prefix": name, "address": loopback(s.Port),
		"filter_chains": []object{{"filters": []object{connectionManager(name, s, filters)}}},
	}
	if s.Listener != nil {
		s.Listener(listener)
	}
	return listener, nil
}

type object = map[string]any

func typed(name, url string, fields object) object {
	config := object{"@type": url}
	for k, v := range fields {
		config[k] = v
	}
	return object{"name": name, "typed_config": config}
}

func loopback(port int) object {
	return object{"socket_address": object{"address": "127.0.0.1", "port_value": port}}
}

func staticClusters(s EnvoySetup) ([]object, error) {
	addresses := map[string]string{"app": s.App, "idp": s.IDP}
	maps.Copy(addresses, s.Clusters)
	clusters := []object{}
	for _, name := range slices.Sorted(maps.Keys(addresses)) {
		if addresses[name] == "" {
			continue
		}
		cluster, err := staticCluster(name, addresses[name])
		if err != nil {
			return nil, err
		}
		if socket := s.Sockets[name]; socket != nil {
			cluster["transport_socket"] = socket
		}
		if name == "app" && s.AppHTTP2 {
			cluster["typed_extension_protocol_options"] = object{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": object{
				"@type":                "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
				"explicit_http_config": object{"http2_protocol_options": object{}},
			}}
		}
		clusters = append(clusters, cluster)
	}
	return clusters, nil
}

func staticCluster(name, addr string) (object, error) {
	host, port, found := strings.Cut(addr, ":")
	n, err := strconv.Atoi(port)
	if !found || err != nil {
		return nil, fmt.Errorf("e2e: cluster %s: %q is not host:port", name, addr)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	return object{
		"name": name, "type": "STATIC", "connect_timeout": "2s",
		"load_assignment": object{
			"cluster_name": name,
			"endpoints": []object{{"lb_endpoints": []object{{
				"endpoint": object{"address": object{"socket_address": object{"address": host, "port_value": n}}},
			}}}},
		},
	}, nil
}

func connectionManager(name string, s EnvoySetup, filters []object) object {
	route := object{"match": object{"prefix": "/"}}
	if s.App == "" {
		route["direct_response"] = object{"status": 200, "body": object{"inline_string": "direct response\n"}}
	} else {
		route["route"] = object{"cluster": "app", "timeout": "0s"} // streams stay open
	}
	return typed("envoy.filters.network.http_connection_manager",
		"type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
		object{
			"stat_prefix":     name,
			"upgrade_configs": []object{{"upgrade_type": "websocket"}},
			"route_config": object{"virtual_hosts": []object{{
				"name": "all", "domains": []string{"*"}, "routes": []object{route},
			}}},
			"http_filters": filters,
		})
}

func wasmFilter(s EnvoySetup) (object, error) {
	module, err := modulePath(s)
	if err != nil {
		return nil, err
	}
	config, err := settingsText(s.Config)
	if err != nil {
		return nil, err
	}
	plugin := object{
		"name": "postern", "root_id": "postern", "failure_policy": "FAIL_RELOAD",
		"configuration": object{"@type": "type.googleapis.com/google.protobuf.StringValue", "value": config},
		"vm_config": object{
			"vm_id": "postern", "runtime": "envoy.wasm.runtime.v8",
			"code":                  object{"local": object{"filename": module}},
			"environment_variables": object{"key_values": s.Env},
		},
	}
	if s.AllowHeadersStop {
		plugin["allow_on_headers_stop_iteration"] = true
	}
	return typed("envoy.filters.http.wasm",
		"type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm", object{"config": plugin}), nil
}

// modulePath is the module to load: the set-up's, or the one that the
// environment names (to test a released file), or the one just built.
func modulePath(s EnvoySetup) (string, error) {
	if s.Module != "" {
		return s.Module, nil
	}
	if path := os.Getenv("POSTERN_WASM"); path != "" {
		return path, nil
	}
	return part("build", "build", "postern.wasm")
}

func settingsText(config any) (string, error) {
	if text, ok := config.(string); ok {
		return text, nil
	}
	text, err := json.Marshal(config)
	if err != nil {
		return "", fmt.Errorf("e2e: settings: %w", err)
	}
	return string(text), nil
}
