package demo

import (
	"crypto/tls"
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"

	"sigs.k8s.io/yaml"
)

//go:embed settings.yaml
var settingsText string

//go:embed envoy.yaml
var envoyText string

// place is where everything listens, and what the gate must know.
type place struct {
	listen  string // host:port of the proxy
	idp     string
	partner string // of the second provider; "" for none
	app     string
	module  string // file name
	env     map[string]string
	rules   bool // the proxy is ours, with the rules of settings.yaml

	url    string            // what browsers call a proxy that is not ours; "" for localhost
	idpTLS []tls.Certificate // the provider's, if it speaks TLS
}

// host is what browsers call the proxy: localhost, by its port.
func (p *place) host() string { return "localhost:" + port(p.listen) }

// base is the origin at which people come back from the provider.
func (p *place) base() string {
	if p.url != "" {
		return p.url
	}
	return "http://" + p.host()
}

func (p *place) issuer() string {
	if len(p.idpTLS) > 0 {
		return "https://localhost:" + port(p.idp)
	}
	return "http://localhost:" + port(p.idp)
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// settings are the gate's own, as JSON.
func (p *place) settings() ([]byte, error) {
	text, err := fill(settingsText, map[string]any{"issuer": p.issuer(), "host": p.host()})
	if err != nil || p.partner == "" {
		return text, err
	}
	return p.withPartner(text)
}

// bootstrap is Envoy's configuration, as JSON, which is YAML too.
func (p *place) bootstrap() ([]byte, error) {
	settings, err := p.settings()
	if err != nil {
		return nil, err
	}
	values := map[string]any{"module": p.module, "settings": string(settings)}
	for name, address := range map[string]string{"listen": p.listen, "idp": p.idp, "app": p.app} {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("demo: address: %w", err)
		}
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("demo: port: %w", err)
		}
		values[name+"_address"], values[name+"_port"] = host, number
	}
	text, err := fill(envoyText, values)
	if err != nil || p.partner == "" {
		return text, err
	}
	return p.withPartnerCluster(text)
}

// fill puts values into a YAML text. Each is written as JSON, so that no value
// can add to the structure.
func fill(text string, values map[string]any) ([]byte, error) {
	var missing error
	filled := os.Expand(text, func(name string) string {
		value, ok := values[name]
		if !ok {
			missing = fmt.Errorf("demo: no value for %q", name)
		}
		quoted, err := json.Marshal(value)
		if err != nil {
			missing = fmt.Errorf("demo: value of %q: %w", name, err)
		}
		return string(quoted)
	})
	if missing != nil {
		return nil, missing
	}
	out, err := yaml.YAMLToJSONStrict([]byte(filled))
	if err != nil {
		return nil, fmt.Errorf("demo: configuration: %w", err)
	}
	return out, nil
}
