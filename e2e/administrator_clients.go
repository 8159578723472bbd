package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// EditClient changes what Keycloak knows of a client.
func (a *Administrator) EditClient(id string, edit func(client map[string]any)) error {
	client, err := a.client(id)
	if err != nil {
		return err
	}
	edit(client)
	return a.send(http.MethodPut, fmt.Sprint("/clients/", client["id"]), client)
}

// Enable lets a client take part, or no longer.
func (a *Administrator) Enable(id string, enabled bool) error {
	return a.EditClient(id, func(client map[string]any) { client["enabled"] = enabled })
}

func (a *Administrator) client(id string) (map[string]any, error) {
	var clients []map[string]any
	if err := a.call(http.MethodGet, a.realm+"/clients?clientId="+id, "", &clients); err != nil {
		return nil, err
	}
	if len(clients) != 1 {
		return nil, fmt.Errorf("e2e: keycloak knows %d clients %s", len(clients), id)
	}
	return clients[0], nil
}

// OfferScope makes a scope that a client may ask for, if there is none yet.
func (a *Administrator) OfferScope(client, name string) error {
	id, err := a.named("/client-scopes", name)
	if err == nil && id == "" {
		if err = a.send(http.MethodPost, "/client-scopes", map[string]any{
			"name": name, "protocol": "openid-connect", "attributes": map[string]string{"include.in.token.scope": "true"},
		}); err == nil {
			id, err = a.named("/client-scopes", name)
		}
	}
	if err != nil {
		return err
	}
	known, err := a.client(client)
	if err != nil {
		return err
	}
	return a.call(http.MethodPut, fmt.Sprint(a.realm, "/clients/", known["id"], "/optional-client-scopes/", id), "", nil)
}

// AddKey makes the realm sign with a new key; those that it had stay published.
func (a *Administrator) AddKey(name string) error {
	return a.send(http.MethodPost, "/components", map[string]any{
		"name": name, "providerId": "rsa-generated", "providerType": keyProvider,
		"config": map[string][]string{"priority": {"1000"}, "enabled": {"true"}, "active": {"true"}, "keySize": {"2048"}, "algorithm": {"RS256"}},
	})
}

// RemoveKey takes such a key away.
func (a *Administrator) RemoveKey(name string) error {
	id, err := a.named("/components?type="+keyProvider, name)
	if err != nil {
		return err
	}
	return a.call(http.MethodDelete, a.realm+"/components/"+id, "", nil)
}

const keyProvider = "org.keycloak.keys.KeyProvider"

// named is the id of a thing that is listed; "" for none of that name.
func (a *Administrator) named(list, name string) (string, error) {
	var things []struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	if err := a.call(http.MethodGet, a.realm+list, "", &things); err != nil {
		return "", err
	}
	for _, thing := range things {
		if thing.Name == name {
			return thing.ID, nil
		}
	}
	return "", nil
}

func (a *Administrator) send(method, path string, thing any) error {
	body, err := json.Marshal(thing)
	if err != nil {
		return fmt.Errorf("e2e: keycloak: %w", err)
	}
	return a.call(method, a.realm+path, string(body), nil)
}
