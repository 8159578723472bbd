package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
)

// wasmFilter runs a module with settings and an environment.
func wasmFilter(module, settings string, env map[string]string) []object {
	vm := object{"runtime": "envoy.wasm.runtime.v8", "code": object{"local": object{"filename": module}}}
	if len(env) > 0 {
		vm["environment_variables"] = object{"key_values": env}
	}
	config := object{"name": "postern", "root_id": "postern", "failure_policy": "FAIL_RELOAD", "vm_config": vm}
	if settings != "" {
		config["configuration"] = object{"@type": "type.googleapis.com/google.protobuf.StringValue", "value": settings}
	}
	return []object{{"name": "postern", "typed_config": typed("extensions.filters.http.wasm.v3.Wasm", object{"config": config})}}
}

// posternSettings are those of a common gate: five headers for the application.
// Without the cache each request opens its session anew.
func posternSettings(issuer string, cache bool) string {
	sessions := object{"keys": []object{{"id": "k1", "env": "POSTERN_KEY"}}, "cookie": object{"name": cookieName}}
	if !cache {
		sessions["cache_bytes"] = 0
	}
	b, _ := json.Marshal(object{
		"providers": []object{{
			"name": "keycloak", "type": "oidc", "issuer": issuer, "insecure_issuer": true, "cluster": "idp",
			"client_id": clientID, "client_secret": object{"value": random(24)},
			"claims": object{"user": "preferred_username", "email": "email", "groups": "groups"},
		}},
		"hosts":   []string{host},
		"session": sessions,
		"forward": object{
			"headers": object{
				"x-auth-request-user": "user", "x-auth-request-email": "email", "x-auth-request-groups": "groups",
				"x-auth-request-preferred-username": "preferred_username",
			},
			"access_token": []string{"authorization"},
		},
	})
	return string(b)
}

// oauth2Filter is Envoy's own gate.
func oauth2Filter() object {
	return object{"name": "envoy.filters.http.oauth2", "typed_config": typed("extensions.filters.http.oauth2.v3.OAuth2", object{"config": object{
		"token_endpoint":         object{"cluster": "idp", "uri": "http://idp/token", "timeout": "3s"},
		"authorization_endpoint": "http://idp/auth",
		"redirect_uri":           "https://" + host + "/callback",
		"redirect_path_matcher":  object{"path": object{"exact": "/callback"}},
		"signout_path":           object{"path": object{"exact": "/signout"}},
		"credentials": object{
			"client_id":    clientID,
			"token_secret": object{"name": "token"},
			"hmac_secret":  object{"name": "hmac"},
		},
		"auth_scopes": []string{"openid"}, "forward_bearer_token": true, "use_refresh_token": true,
		"disable_token_encryption": true,
	}})}
}

// oauth2Secrets are those that oauth2Filter names.
func oauth2Secrets() []object {
	secret := func(name, value string) object {
		return object{"name": name, "generic_secret": object{"secret": object{"inline_string": value}}}
	}
	return []object{secret("token", "unused"), secret("hmac", hmacSecret)}
}

// jwtFilter verifies tokens: those that oauth2Filter forwards, and those that
// services bring. It remembers as many as the cache is large.
func jwtFilter(issuer, jwks string, cache int) object {
	provider := object{"issuer": issuer, "forward": true, "audiences": []string{audience}, "local_jwks": object{"inline_string": jwks},
		"claim_to_headers": []object{
			{"header_name": "x-auth-request-user", "claim_name": "preferred_username"},
			{"header_name": "x-auth-request-email", "claim_name": "email"},
		}}
	if cache > 0 {
		provider["jwt_cache_config"] = object{"jwt_cache_size": cache}
	}
	return object{"name": "envoy.filters.http.jwt_authn", "typed_config": typed("extensions.filters.http.jwt_authn.v3.JwtAuthentication", object{
		"providers": object{"keycloak": provider},
		"rules":     []object{{"match": object{"prefix": "/"}, "requires": object{"provider_name": "keycloak"}}},
	})}
}

// provider answers discovery, keys and introspection, which is all that a gate
// asks for when everybody is signed in; and logins, whose code is their nonce.
func provider(t func() *tokens) *httptest.Server {
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("content-type", "application/json")
		switch r.URL.Path {
		case "/keys":
			_, _ = w.Write([]byte(t().jwks))
		case "/token":
			id, err := t().idToken(r.FormValue("code"))
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_ = json.NewEncoder(w).Encode(object{"access_token": t().access, "token_type": "Bearer", "expires_in": 3600, "refresh_token": t().refresh, "id_token": id})
		case "/introspect":
			answer := maps.Clone(t().claims)
			answer["active"] = true
			_ = json.NewEncoder(w).Encode(answer)
		default:
			_ = json.NewEncoder(w).Encode(object{
				"issuer": s.URL, "authorization_endpoint": s.URL + "/auth", "token_endpoint": s.URL + "/token", "jwks_uri": s.URL + "/keys",
				"introspection_endpoint":   s.URL + "/introspect",
				"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
				"id_token_signing_alg_values_supported": []string{"RS256"},
			})
		}
	}))
	return s
}
