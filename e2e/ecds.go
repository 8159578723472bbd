package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Delivery is what a gate is run with, as far as it may change while Envoy runs.
type Delivery struct {
	Settings any               // as EnvoySetup has them
	Env      map[string]string // environment of the module
	Module   string            // see modulePath when empty
	Revision string            // of the VM: another one is another VM, of the same id
	Policy   string            // what a trap means; FAIL_RELOAD when empty
}

// Delivered is a gate whose filter is no part of Envoy's bootstrap: it comes as
// an extension configuration (ECDS) from a file that is moved into place, so that
// settings, module and keys change while Envoy runs.
type Delivered struct {
	*Gate
	Delivery Delivery // the last that was delivered
	file     string
	version  int
}

// deliveryLimit is how long Envoy may take to take a delivery, a new module included.
const deliveryLimit = 90 * time.Second

// StartDelivered runs a gate with a first delivery, and waits until it knows its
// provider.
func StartDelivered(t testing.TB, p *Provider, s EnvoySetup, first Delivery) *Delivered {
	t.Helper()
	d := launchDelivered(t, p, s, first)
	d.wait(t)
	return d
}

func launchDelivered(t testing.TB, p *Provider, s EnvoySetup, first Delivery) *Delivered {
	t.Helper()
	app := &App{}
	if s.App == "" {
		app = NewApp(t)
		s.App = app.Addr()
	}
	d := &Delivered{Delivery: first, file: filepath.Join(t.TempDir(), "postern.json")}
	s.Config, s.Env, s.Module = first.Settings, first.Env, first.Module
	if s.IDP == "" {
		s.IDP = p.Addr()
	}
	if err := d.put(first); err != nil {
		t.Fatal(err)
	}
	edit := s.Listener
	s.Listener = func(listener map[string]any) {
		discoverFilter(listener, d.file)
		if edit != nil {
			edit(listener)
		}
	}
	e, err := launchEnvoy(t, s)
	if err != nil {
		t.Fatal(err)
	}
	d.Gate = &Gate{Envoy: e, App: app, Provider: p}
	return d
}

// managerOf is the connection manager of a set-up's listener.
func managerOf(listener map[string]any) object {
	return listener["filter_chains"].([]object)[0]["filters"].([]object)[0]["typed_config"].(object)
}

// discoverFilter has a listener take its Wasm filter from a file.
func discoverFilter(listener map[string]any, file string) {
	manager := managerOf(listener)
	for i, filter := range manager["http_filters"].([]object) {
		if filter["name"] == wasmFilterName {
			manager["http_filters"].([]object)[i] = object{
				"name": deliveredName,
				"config_discovery": object{
					"config_source": object{"path_config_source": object{"path": file}, "resource_api_version": "V3"},
					"type_urls":     []string{wasmFilterType},
				},
			}
		}
	}
}

const (
	wasmFilterName = "envoy.filters.http.wasm"
	wasmFilterType = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"
	// deliveredName is the filter's name as a resource.
	deliveredName = "postern"
)

// put moves a delivery into place: whoever reads the file sees the one before, or
// this one as a whole.
func (d *Delivered) put(next Delivery) error {
	filter, err := next.filter()
	if err != nil {
		return err
	}
	d.version++
	text, err := json.Marshal(object{
		"version_info": strconv.Itoa(d.version),
		"resources": []object{{
			"@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
			"name":  deliveredName, "typed_config": filter["typed_config"],
		}},
	})
	if err != nil {
		return fmt.Errorf("e2e: delivery: %w", err)
	}
	if err := os.WriteFile(d.file+".next", text, 0o600); err != nil {
		return fmt.Errorf("e2e: delivery: %w", err)
	}
	if err := os.Rename(d.file+".next", d.file); err != nil {
		return fmt.Errorf("e2e: delivery: %w", err)
	}
	return nil
}

// filter is the delivery as Envoy's configuration of a filter.
func (n Delivery) filter() (object, error) {
	filter, err := wasmFilter(EnvoySetup{Config: n.Settings, Env: n.Env, Module: n.Module})
	if err != nil {
		return nil, err
	}
	plugin := filter["typed_config"].(object)["config"].(object)
	if n.Revision != "" {
		plugin["vm_config"].(object)["configuration"] = object{
			"@type": "type.googleapis.com/google.protobuf.StringValue", "value": n.Revision,
		}
	}
	if n.Policy != "" {
		plugin["failure_policy"] = n.Policy
	}
	return filter, nil
}

// Deliver changes what was delivered last, and waits until Envoy has taken it.
func (d *Delivered) Deliver(t testing.TB, change func(*Delivery)) {
	t.Helper()
	before := d.outcomes(t)
	d.send(t, change)
	Eventually(t, deliveryLimit, func() error {
		switch now := d.outcomes(t); {
		case now["update_rejected"] > before["update_rejected"]:
			t.Fatalf("e2e: envoy refused a delivery:\n%s", d.Log.Brief(10))
		case now["update_success"] == before["update_success"] || now["config_reload"] == before["config_reload"]:
			return fmt.Errorf("e2e: envoy has not taken the delivery: %v", now)
		}
		return nil
	})
}

// Misdeliver delivers what Envoy has to refuse, and waits until it has. What was
// delivered last stays what the next delivery changes.
func (d *Delivered) Misdeliver(t testing.TB, change func(*Delivery)) {
	t.Helper()
	before, kept := d.outcomes(t), d.Delivery
	d.send(t, change)
	d.Delivery = kept
	Eventually(t, deliveryLimit, func() error {
		now := d.outcomes(t)
		if now["update_success"] > before["update_success"] {
			t.Fatal("e2e: envoy took what it should have refused")
		}
		// Envoy counts what it tried to put into force as reloaded, too.
		if now["update_rejected"] == before["update_rejected"] || now["config_reload"] == before["config_reload"] {
			return fmt.Errorf("e2e: envoy has not refused the delivery: %v", now)
		}
		return nil
	})
}

func (d *Delivered) send(t testing.TB, change func(*Delivery)) {
	t.Helper()
	next := d.Delivery
	next.Env = maps.Clone(next.Env)
	change(&next)
	if err := d.put(next); err != nil {
		t.Fatal(err)
	}
	d.Delivery = next
}

// outcomes are Envoy's counts of what became of deliveries.
func (d *Delivered) outcomes(t testing.TB) map[string]int {
	t.Helper()
	body, err := d.AdminGet(context.Background(), "/stats?filter=extension_config_discovery")
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for line := range strings.Lines(string(body)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if n, err := strconv.Atoi(value); err == nil {
			counts[name[strings.LastIndexByte(name, '.')+1:]] = n
		}
	}
	return counts
}
