package e2e

import "testing"

// Where B is, to A.
const (
	ordersHost  = "orders.example.com"
	stockHost   = "stock.example.com"
	personsHost = "persons.example.com"
)

// inboundSettings are those of a gate before a service, which tokens alone are
// good for. The client is the one that it asks the provider as.
func inboundSettings(p *Provider, client Service, accepted Settings) Settings {
	accepted["provider"] = p.Name
	return Settings{
		"providers": []Settings{serviceProvider(p, client)},
		"hosts":     []string{ordersHost, stockHost, personsHost, "localhost:*", "127.0.0.1:*"},
		"session":   serviceKeys(),
		"bearer":    []Settings{accepted},
		"forward": Settings{
			"headers":      Settings{"x-auth-request-user": "user"},
			"access_token": []string{"authorization"},
		},
		"rules": []Settings{
			{"match": Settings{"paths": []string{"/healthz"}}, "allow": "anyone"},
			{"match": Settings{"paths": []string{"/*"}}, "accept": []string{"bearer"}},
		},
	}
}

// outboundSettings are those of a gate on a service's way out.
func outboundSettings(p *Provider, client Service, entries ...Settings) Settings {
	for _, entry := range entries {
		entry["provider"] = p.Name
	}
	return Settings{"providers": []Settings{serviceProvider(p, client)}, "session": serviceKeys(), "outbound": entries}
}

func toHost(host string, more Settings) Settings {
	entry := Settings{"match": Settings{"hosts": []string{host}}}
	for name, value := range more {
		entry[name] = value
	}
	return entry
}

func serviceProvider(p *Provider, client Service) Settings {
	settings := Settings{
		"name": p.Name, "type": "oidc", "issuer": p.Issuer, "insecure_issuer": true, "cluster": "idp", "timeout": "20s",
		"client_id": client.ID, "claims": Settings{"user": "preferred_username"},
	}
	for name, value := range client.settings() {
		settings[name] = value
	}
	return settings
}

// settings say how the client proves who it is.
func (s Service) settings() Settings {
	if s.Key != nil {
		return Settings{"client_auth": "private_key_jwt", "client_key": Settings{"value": s.Key.pem}, "client_key_id": s.Key.id, "client_key_algorithm": s.Key.algorithm}
	}
	auth := s.Auth
	if auth == "" {
		auth = "client_secret_basic"
	}
	return Settings{"client_auth": auth, "client_secret": Settings{"value": s.Secret}}
}

func serviceKeys() Settings {
	return Settings{"keys": []Settings{{"id": "k1", "env": "POSTERN_KEY"}}}
}

// launchService begins to start a gate with its settings as they are.
func launchService(t testing.TB, s EnvoySetup) *Gate {
	t.Helper()
	if s.Env == nil {
		s.Env = NewSecrets()
	}
	e, err := launchEnvoy(t, s)
	if err != nil {
		t.Fatal(err)
	}
	return &Gate{Envoy: e}
}
