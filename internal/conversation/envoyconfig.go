package conversation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
)

const typePrefix = "type.googleapis.com/envoy."

// clusterOf is a cluster with the given host, or with none.
func clusterOf(name string, port int, healthy bool) object {
	endpoints := []object{}
	if healthy {
		endpoints = append(endpoints, object{"endpoint": object{"address": loopback(port)}})
	}
	return object{
		"name": name, "type": "STATIC", "connect_timeout": "2s",
		"load_assignment": object{"cluster_name": name, "endpoints": []object{{"lb_endpoints": endpoints}}},
	}
}

// resource marks a resource with its type, as files of resources need it.
func resource(kind string, o object) object {
	o["@type"] = typePrefix + "config." + kind
	return o
}

// listener is a gate in front of the application. Every gate is a plugin of its
// own. Those with the same keys are in one VM: they share code, and the memory
// of their workers. A gate with other keys could not read that.
func listener(name, modulePath, settings string) object {
	filters := []object{
		{"name": "postern", "typed_config": object{
			"@type": typePrefix + "extensions.filters.http.wasm.v3.Wasm",
			"config": object{
				"name": name, "root_id": name, "failure_policy": "FAIL_RELOAD", "allow_on_headers_stop_iteration": true,
				"configuration": object{"@type": "type.googleapis.com/google.protobuf.StringValue", "value": settings},
				"vm_config": object{"vm_id": vmOf(settings), "runtime": "envoy.wasm.runtime.v8",
					"code": object{"local": object{"filename": modulePath}}},
			},
		}},
		{"name": "router", "typed_config": object{"@type": typePrefix + "extensions.filters.http.router.v3.Router"}},
	}
	return object{
		"name": name, "address": loopback(0),
		"filter_chains": []object{{"filters": []object{{"name": "http", "typed_config": manager(filters)}}}},
	}
}

// vmOf names the VM for the keys in settings.
func vmOf(settings string) string {
	var s struct {
		Session struct{ Keys json.RawMessage }
	}
	_ = json.Unmarshal([]byte(settings), &s) // settings that are none are for the gate to refuse
	sum := sha256.Sum256(s.Session.Keys)
	return "postern-" + hex.EncodeToString(sum[:4])
}

func manager(filters []object) object {
	route := object{"cluster": "app", "timeout": "30s"}
	return object{
		"@type":       typePrefix + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
		"stat_prefix": "gate",
		// Long cookies and tunnels are for the gate to refuse.
		"max_request_headers_kb": 128,
		"upgrade_configs":        []object{{"upgrade_type": "websocket"}, {"upgrade_type": "CONNECT"}},
		"route_config": object{"virtual_hosts": []object{{
			"name": "all", "domains": []string{"*"},
			"routes": []object{{"match": object{"prefix": "/"}, "route": route},
				{"match": object{"connect_matcher": object{}}, "route": route}},
		}}},
		"http_filters": filters,
		// The gate's reason travels in the response code details.
		"local_reply_config": object{"mappers": []object{{
			"filter": object{"status_code_filter": object{"comparison": object{
				"op": "GE", "value": object{"default_value": 0, "runtime_key": "conversations.none"}}}},
			"headers_to_add": []object{{"header": object{"key": detailsField, "value": "%RESPONSE_CODE_DETAILS%"}}},
		}}},
	}
}

const detailsField = "x-response-code-details"

// eventOf takes the gate's name and its line out of a line of Envoy's log:
// "wasm log <plugin> <root id> <vm id>: line".
func eventOf(line string) (gate, text string, ok bool) {
	_, rest, ok := strings.Cut(line, "wasm log ")
	if !ok {
		return "", "", false
	}
	names, text, ok := strings.Cut(rest, ": ")
	gate, _, _ = strings.Cut(names, " ")
	return gate, text, ok
}
