package conversation

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// party is a provider that scripts can name, and what the gate is there.
type party struct {
	name, issuer, origin string // of its endpoints
	keys                 string // that it publishes
	clientID, secret     string
}

// The providers beside the first.
const (
	OtherIssuer = "https://login.example.net"
	ThirdIssuer = "https://sso.example.org/tenant"
)

// parties are all of them: main is there by default, the others where settings
// name them.
var parties = []party{
	{"main", Issuer, "https://id.example.com", "k1 e1", ClientID, ClientSecret},
	{"other", OtherIssuer, OtherIssuer, "o1", "shop-at-other", "secret-at-other-of-the-tests"},
	{"third", ThirdIssuer, "https://sso.example.org", "t1", "shop-at-third", "secret-at-third-of-the-tests"},
}

// partyAt is the one of an issuer or an endpoint; the first where none is.
func partyAt(address string) *party {
	for i := range parties {
		if p := &parties[i]; address == p.issuer || strings.HasPrefix(address, p.origin+"/") {
			return p
		}
	}
	return &parties[0]
}

// settings are those of the provider in a gate's.
func (p *party) settings() map[string]any {
	return map[string]any{
		"name": p.name, "issuer": p.issuer, "cluster": p.name, "timeout": "1s",
		"client_id": p.clientID, "client_secret": map[string]any{"value": p.secret},
	}
}

// discovery is the provider's discovery document.
func (p *party) discovery() map[string]any {
	return map[string]any{
		"issuer":                 p.issuer,
		"authorization_endpoint": p.origin + "/auth",
		"token_endpoint":         p.origin + "/token",
		"userinfo_endpoint":      p.origin + "/userinfo",
		"jwks_uri":               p.origin + "/keys",
		"authorization_response_iss_parameter_supported": true,
	}
}

// idToken makes one for the client that the gate is at the provider, signed
// with the provider's first key.
func (p *party) idToken(changes, nonce string, now time.Time) (string, error) {
	key, _, _ := strings.Cut(p.keys, " ")
	return idToken(fmt.Sprintf("iss=%s aud=%s @kid=%s %s", p.issuer, p.clientID, key, changes), nonce, now)
}

// discovery is what a provider publishes: of the first with what discovery.json
// changes, of others with discovery-NAME.json.
func (s *Script) discovery(issuer string) (string, error) {
	p, file := partyAt(issuer), "discovery.json"
	members := p.discovery()
	members["issuer"] = issuer // the first one's may be any
	doc, err := json.Marshal(members)
	if p != &parties[0] {
		file = "discovery-" + p.name + ".json"
	}
	if patch, ok := s.files[file]; ok && err == nil {
		doc, err = overlay(doc, []byte(patch))
	}
	return string(doc), err
}

// settings are the default ones with the file's laid over.
func (s *Script) settings(file string) ([]byte, error) {
	base, err := readSettings(s.folder)
	if err != nil {
		return nil, err
	}
	text, ok := s.files[file]
	if !ok && file != "settings.json" {
		return nil, fmt.Errorf("the script has no %s", file)
	}
	var patch map[string]any
	if ok {
		if err := json.Unmarshal([]byte(text), &patch); err != nil {
			return nil, fmt.Errorf("settings: %w", err)
		}
	}
	if named, ok := patch["providers"].([]any); ok {
		base["providers"] = beneath(named, base["providers"])
	}
	return json.Marshal(lay(base, any(patch)))
}

// beneath are the providers over which others are laid: other and third by
// their names, which no default setting has; the rest by their place.
func beneath(named []any, base any) []any {
	known, _ := base.([]any)
	under := make([]any, len(named))
	for i, entry := range named {
		if i < len(known) {
			under[i] = known[i]
		}
		provider, _ := entry.(map[string]any)
		for j := range parties {
			switch p := &parties[j]; {
			case provider["name"] != p.name:
			case j > 0:
				under[i] = p.settings()
			case len(known) > 0:
				under[i] = known[0]
			}
		}
	}
	return under
}
