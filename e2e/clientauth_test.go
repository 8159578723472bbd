package e2e

import (
	"strings"
	"testing"
)

// authMethods are the ways to prove who a client is; the last ones by a key.
var authMethods = []string{"client_secret_basic", "client_secret_post", "client_secret_jwt", "RS256", "PS256", "ES256", "EdDSA"}

// TestClientsProveWhoTheyAre has one gate fetch tokens in each of the ways: from
// as many providers, since one provider knows a gate as one client.
func TestClientsProveWhoTheyAre(t *testing.T) {
	app, settings := NewApp(t), Settings{"session": serviceKeys()}
	var providers, outbound []Settings
	services, clusters := map[string]Service{}, map[string]string{}
	for _, method := range authMethods {
		service := startClient(t, method)
		name := service.Provider.Name
		services[name+".example.com"], clusters[name] = service, service.Provider.Addr()
		provider := serviceProvider(service.Provider, service)
		provider["cluster"] = name
		providers = append(providers, provider)
		outbound = append(outbound, toHost(name+".example.com", Settings{
			"provider": name, "resources": []string{signedResource}, "scopes": []string{"orders"},
		}))
	}
	settings["providers"], settings["outbound"] = providers, outbound
	g := launchService(t, EnvoySetup{App: app.Addr(), Clusters: clusters, Config: settings})
	g.mustBeReady(t)
	for host, service := range services {
		t.Run(strings.TrimSuffix(host, ".example.com"), func(t *testing.T) {
			page := eventuallyServed(t, g.URL("/"), to(host))
			token := strings.TrimPrefix(must(ReadSeen(page))(t).Value("authorization"), "Bearer ")
			claims := must(readClaims(token))(t)
			if claims["client_id"] != service.ID || claims["iss"] != service.Provider.Issuer || !hasAudience(claims, signedResource) {
				t.Errorf("the token is %v", claims)
			}
		})
	}
	checkLog(t, g)
}

// startClient starts a provider with one client, which accepts no other proof.
func startClient(t *testing.T, method string) Service {
	t.Helper()
	service := Service{ID: "by: " + method, Secret: clientSecret, Auth: method} // RFC 6749, section 2.3.1: encoded
	client := Claims{"client_id": service.ID, "token_endpoint_auth_method": method}
	if strings.HasPrefix(method, "client_secret") {
		client["client_secret"] = clientSecret
	} else {
		service.Auth, service.Key = "", NewClientKey(t, method)
		client["token_endpoint_auth_method"], client["token_endpoint_auth_signing_alg"] = "private_key_jwt", method
		client["jwks"] = service.Key.set(t)
	}
	service.Provider = startServiceProvider(t, client)
	service.Provider.Name = strings.ToLower(strings.ReplaceAll(method, "_", "-"))
	return service
}
