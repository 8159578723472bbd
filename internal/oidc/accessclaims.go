package oidc

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4/json"
	"github.com/tidwall/gjson"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/jws"
)

// maxNameLen bounds the name of a subject or a client.
const maxNameLen = 255

// accessClaims are the claims of an access token, or of an answer about one
// (RFC 9068, section 2.2; RFC 7662, section 2.2), and those that show a token
// to be of another kind.
type accessClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience audience `json:"aud"`
	times
	authentication

	// Who the token was given to, as Keycloak, RFC 9068, older Keycloaks, Okta
	// and Entra name it.
	Party     string `json:"azp"`
	ClientID  string `json:"client_id"`
	ClientID2 string `json:"clientId"`
	CID       string `json:"cid"`
	AppID     string `json:"appid"`

	Scope        words           `json:"scope"`
	SCP          words           `json:"scp"`
	Confirmation json.RawMessage `json:"cnf"`

	Active    *bool           `json:"active"`
	Type      json.RawMessage `json:"typ"`
	TokenUse  json.RawMessage `json:"token_use"`
	TokenType json.RawMessage `json:"token_type"`
	AtHash    json.RawMessage `json:"at_hash"`
	CHash     json.RawMessage `json:"c_hash"`
	SHash     json.RawMessage `json:"s_hash"`
	Nonce     json.RawMessage `json:"nonce"`
	Events    events          `json:"events"`
}

// words is a list of words: separated by spaces (RFC 6749, section 3.3), or a
// JSON array, as some providers write it.
type words []string

// UnmarshalJSON reads a string or an array of strings.
func (w *words) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*w = strings.Fields(s)
		return nil
	}
	return json.Unmarshal(b, (*[]string)(w))
}

func readAccessClaims(step string, payload []byte) (*accessClaims, error) {
	if jws.Deeper(payload, jws.MaxNesting) {
		return nil, refuse(step, "nested_too_deep")
	}
	c := &accessClaims{}
	if err := json.Unmarshal(payload, c); err != nil {
		return nil, refuse(step, "claims_malformed")
	}
	return c, nil
}

// checkAudience wants the token to be made out to us (RFC 9068, section 4).
func (c *accessClaims) checkAudience(step string, want *config.Bearer) error {
	switch {
	case want.InsecureAnyAudience:
		return nil
	case len(c.Audience) == 0:
		return refuse(step, "aud_missing")
	case !slices.ContainsFunc(want.Audiences, c.Audience.has):
		return refuse(step, "aud_differs")
	}
	return nil
}

// checkKind refuses what shows itself to be no access token (RFC 8725, section
// 3.11): providers sign their ID, refresh and logout tokens with the same keys,
// and not all give access tokens a type of their own. One that has it (typed)
// needs no such looks.
func (c *accessClaims) checkKind(step string, typed bool) error {
	switch {
	case c.Events.has(logoutEvent):
		return refuse(step, "is_logout_token")
	case !oneOf(c.Type, "bearer", "dpop", "at+jwt", "application/at+jwt", "jwt"), // Keycloak: ID, Refresh, Offline, Logout, …
		!oneOf(c.TokenUse, "access", "access_token"), // Cognito, Hydra
		!oneOf(c.TokenType, "bearer", "dpop", "access_token", "urn:ietf:params:oauth:token-type:access_token"):
		return refuse(step, "not_an_access_token")
	case typed:
		return nil
	case c.AtHash != nil || c.CHash != nil || c.SHash != nil:
		return refuse(step, "is_id_token")
	case c.Nonce != nil && len(c.Scope) == 0 && len(c.SCP) == 0:
		return refuse(step, "is_id_token")
	}
	return nil
}

// oneOf reports whether a claim is missing or one of some names, in lower case.
func oneOf(claim json.RawMessage, names ...string) bool {
	if claim == nil {
		return true
	}
	var s string
	return json.Unmarshal(claim, &s) == nil && slices.Contains(names, strings.ToLower(s))
}

// token is what the claims say, if they say all that is wanted.
func (c *accessClaims) token(step string, payload []byte, want *config.Bearer) (*AccessToken, error) {
	t := &AccessToken{Issuer: c.Issuer, Subject: c.Subject, Scopes: c.Scope, Claims: payload, Authentication: c.told()}
	if len(t.Scopes) == 0 {
		t.Scopes = c.SCP
	}
	if c.Expires != nil {
		t.Expires = c.Expires.time()
	}
	var same bool
	if t.ClientID, same = c.client(); !same {
		return nil, refuse(step, "client_differs")
	}
	switch {
	case t.Subject == "" && t.ClientID == "":
		return nil, refuse(step, "sub_missing")
	case len(t.Subject) > maxNameLen || len(t.ClientID) > maxNameLen:
		return nil, refuse(step, "sub_malformed")
	}
	if c.Confirmation != nil {
		if reason := t.readConfirmation(c.Confirmation); reason != "" {
			return nil, refuse(step, reason)
		}
	}
	if !holds(payload, want.RequiredClaims) {
		return nil, refuse(step, "claim_differs")
	}
	return t, nil
}

// client is who the token was given to, if all that name it name the same.
func (c *accessClaims) client() (id string, same bool) {
	for _, name := range []string{c.Party, c.ClientID, c.ClientID2, c.CID, c.AppID} {
		switch {
		case name == "" || name == id:
		case id == "":
			id = name
		default:
			return "", false
		}
	}
	return id, true
}

// readConfirmation reads what the token is bound to (RFC 7800, section 3.1). A
// method that is not known cannot be checked, and nobody may be let in by a
// token without the check that it demands.
func (t *AccessToken) readConfirmation(raw json.RawMessage) (reason string) {
	var methods map[string]json.RawMessage
	if json.Unmarshal(raw, &methods) != nil || len(methods) == 0 {
		return "confirmation_malformed"
	}
	for name, value := range methods {
		var thumbprint *string
		switch name {
		case "jkt":
			thumbprint = &t.JKT
		case "x5t#S256":
			thumbprint = &t.X5T
		default:
			return "confirmation_unknown"
		}
		if json.Unmarshal(value, thumbprint) != nil || !isThumbprint(*thumbprint) {
			return "confirmation_malformed"
		}
	}
	return ""
}

// isThumbprint reports whether s is a SHA-256 in base64url.
func isThumbprint(s string) bool {
	sum, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(sum) == 32 && len(s) == 43
}

// holds reports whether the claims that are required are there, each with one
// of its values, or any where none is named.
func holds(payload []byte, required map[string][]string) bool {
	for path, values := range required {
		if IsScope(path) {
			continue // what is missing of them is said once the token is verified
		}
		found := valuesAt(payload, path)
		if len(values) == 0 && len(found) == 0 || len(values) > 0 && !slices.ContainsFunc(found, func(s string) bool { return slices.Contains(values, s) }) {
			return false
		}
	}
	return true
}

// IsScope reports whether a claim is one of those that hold a token's scopes.
func IsScope(claim string) bool { return claim == "scope" || claim == "scp" }

// valuesAt are the values at a path: each of a list's, or the only one.
func valuesAt(payload []byte, path string) (found []string) {
	at := gjson.GetBytes(payload, path)
	if !at.IsArray() {
		return appendScalar(nil, at)
	}
	at.ForEach(func(_, item gjson.Result) bool {
		found = appendScalar(found, item)
		return true
	})
	return found
}

// appendScalar adds a string, a number or a truth value, as it is written.
// Anything else, and an empty string, counts as absent.
func appendScalar(found []string, v gjson.Result) []string {
	switch {
	case v.Type == gjson.String && v.Str != "":
		return append(found, v.Str)
	case v.Type == gjson.Number, v.Type == gjson.True, v.Type == gjson.False:
		return append(found, v.Raw)
	}
	return found
}
