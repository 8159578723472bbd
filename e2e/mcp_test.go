package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// initialize is how a client of the Model Context Protocol begins.
const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"agent","version":"1"}}}`

// agent is a client that knows the address of an MCP server, its own name and
// its secret, and finds everything else by itself. It checks what RFC 9728 and
// RFC 8414 want checked.
type agent struct {
	server     string
	id, secret string
}

func (a *agent) call(token string) (*Page, error) {
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	return NewScript().Send(http.MethodPost, a.server, initialize, header)
}

var challengeParameter = regexp.MustCompile(`([a-z_]+)="([^"]*)"`)

// challenge reads the parameters of a refusal's challenge.
func challenge(page *Page) (map[string]string, error) {
	field := page.Header.Get("WWW-Authenticate")
	rest, isBearer := strings.CutPrefix(field, "Bearer ")
	if page.Status != http.StatusUnauthorized || !isBearer {
		return nil, fmt.Errorf("e2e: agent: %d, challenged by %q", page.Status, field)
	}
	parameters := map[string]string{}
	for _, found := range challengeParameter.FindAllStringSubmatch(rest, -1) {
		parameters[found[1]] = found[2]
	}
	return parameters, nil
}

// protected is what a resource says of itself (RFC 9728, section 2).
type protected struct {
	Resource string   `json:"resource"`
	Servers  []string `json:"authorization_servers"`
	Scopes   []string `json:"scopes_supported"`
	Methods  []string `json:"bearer_methods_supported"`
}

// resource reads the metadata that a challenge names; of another resource than
// the one that was asked for they must not be used (RFC 9728, section 3.3).
func (a *agent) resource(metadata string) (*protected, error) {
	var about protected
	if err := readJSON(metadata, &about); err != nil {
		return nil, err
	}
	if about.Resource != a.server || len(about.Servers) == 0 || !slices.Contains(about.Methods, "header") {
		return nil, fmt.Errorf("e2e: agent: the metadata are %+v", about)
	}
	return &about, nil
}

// tokenEndpoint asks an issuer where tokens are to be had, at the addresses that
// MCP names for one without a path.
func (a *agent) tokenEndpoint(issuer string) (string, error) {
	for _, name := range []string{"oauth-authorization-server", "openid-configuration"} {
		var server struct {
			Issuer string   `json:"issuer"`
			Token  string   `json:"token_endpoint"`
			Grants []string `json:"grant_types_supported"`
		}
		if err := readJSON(issuer+"/.well-known/"+name, &server); err != nil {
			continue
		}
		if server.Issuer != issuer || !slices.Contains(server.Grants, "client_credentials") {
			return "", fmt.Errorf("e2e: agent: the authorization server is %+v", server)
		}
		return server.Token, nil
	}
	return "", fmt.Errorf("e2e: agent: nothing is known of %s", issuer)
}

// token fetches one for a resource (RFC 8707); for none in particular where that is "".
func (a *agent) token(endpoint, resource string, scopes []string) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {strings.Join(scopes, " ")}}
	if resource != "" {
		form.Set("resource", resource)
	}
	page, err := NewScript().Send(http.MethodPost, endpoint, form.Encode(), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {basic(a.id, a.secret)},
	})
	if err != nil {
		return "", err
	}
	var tokens Tokens
	if err := json.Unmarshal([]byte(page.Body), &tokens); err != nil || tokens.Access == "" {
		return "", fmt.Errorf("e2e: agent: the token endpoint answered %d: %.200s", page.Status, page.Body)
	}
	return tokens.Access, nil
}

func readJSON(address string, into any) error {
	page, err := NewScript().Get(address)
	if err != nil {
		return err
	}
	if page.Status != http.StatusOK || !strings.HasPrefix(page.Header.Get("Content-Type"), "application/json") {
		return fmt.Errorf("e2e: agent: %s answered %d", address, page.Status)
	}
	return json.Unmarshal([]byte(page.Body), into)
}

func (w *callers) mcp(t *testing.T) {
	a, before := &agent{server: w.gate.URL("/mcp"), id: "agent", secret: clientSecret}, w.api.Seen(http.MethodPost)
	told := must(challenge(must(a.call(""))(t)))(t)
	if told["error"] != "" || told["scope"] != "tools" {
		t.Errorf("challenged by %v", told)
	}
	about := must(a.resource(told["resource_metadata"]))(t)
	endpoint := must(a.tokenEndpoint(about.Servers[0]))(t)

	forNothing := must(a.token(endpoint, "", about.Scopes))(t)
	if told := must(challenge(must(a.call(forNothing))(t)))(t); told["error"] != "invalid_token" || told["resource_metadata"] == "" {
		t.Errorf("a token for nothing in particular is answered by %v", told)
	}
	if n := w.api.Seen(http.MethodPost) - before; n != 0 {
		t.Errorf("%d requests without a good token reached the server", n)
	}

	page := must(a.call(must(a.token(endpoint, about.Resource, about.Scopes))(t)))(t)
	seen := must(ReadSeen(page))(t)
	if user, received := seen.Value("x-auth-request-user"), page.Header.Get("Received"); user != "agent" || received != fmt.Sprint(len(initialize)) {
		t.Errorf("the server is called by %q, with %s bytes of %d", user, received, len(initialize))
	}
}
