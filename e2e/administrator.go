package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Administrator does at Keycloak what a person does in its console, through
// its REST interface. It is the client of that name in testdata/keycloak.
type Administrator struct {
	realm string // the REST interface's address of the realm
	token string
}

// NewAdministrator signs in.
func NewAdministrator(keycloak *Provider) (*Administrator, error) {
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"administrator"}, "client_secret": {"administrator-client-secret"},
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	a := &Administrator{realm: strings.Replace(keycloak.Issuer, "/realms/", "/admin/realms/", 1)}
	err := a.call(http.MethodPost, keycloak.Issuer+"/protocol/openid-connect/token", form.Encode(), &answer)
	a.token = answer.AccessToken
	return a, err
}

// SignOut ends all sessions of a person, one after the other: where several are
// ended by one call, Keycloak tells a client of the first of them only.
func (a *Administrator) SignOut(who Person) error {
	ids, err := a.Sessions(who)
	for _, id := range ids {
		if err == nil {
			err = a.call(http.MethodDelete, a.realm+"/sessions/"+id, "", nil)
		}
	}
	return err
}

// Sessions are the ids (`sid`) of a person's sessions.
func (a *Administrator) Sessions(who Person) ([]string, error) {
	user, err := a.user(who)
	if err != nil {
		return nil, err
	}
	var sessions []struct {
		ID string `json:"id"`
	}
	if err := a.call(http.MethodGet, a.realm+"/users/"+user+"/sessions", "", &sessions); err != nil {
		return nil, err
	}
	var ids []string
	for _, s := range sessions {
		ids = append(ids, s.ID)
	}
	return ids, nil
}

// BackChannel registers where the client is told of sessions that ended; ""
// for nowhere.
func (a *Administrator) BackChannel(address string) error {
	return a.EditClient(ClientID, func(client map[string]any) {
		client["attributes"].(map[string]any)["backchannel.logout.url"] = address
	})
}

func (a *Administrator) user(who Person) (string, error) {
	var users []struct {
		ID string `json:"id"`
	}
	if err := a.call(http.MethodGet, a.realm+"/users?exact=true&username="+who.Name, "", &users); err != nil {
		return "", err
	}
	if len(users) != 1 {
		return "", fmt.Errorf("e2e: keycloak knows %d people %s", len(users), who.Name)
	}
	return users[0].ID, nil
}

func (a *Administrator) call(method, address, body string, answer any) error {
	req, err := http.NewRequest(method, address, bytes.NewReader([]byte(body)))
	if err != nil {
		return fmt.Errorf("e2e: keycloak: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if a.token != "" {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("e2e: keycloak: %w", err)
	}
	text, err := drain(res.Body)
	switch {
	case err != nil:
		return fmt.Errorf("e2e: keycloak: %w", err)
	case res.StatusCode/100 != 2:
		return fmt.Errorf("e2e: keycloak: %s %s answered %d: %.300s", method, req.URL.Path, res.StatusCode, text)
	case answer == nil:
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("e2e: keycloak: %s: %w", req.URL.Path, err)
	}
	return nil
}
