package oidc

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"testing"

	"github.com/c2sp/wycheproof"
	"github.com/go-jose/go-jose/v4"
)

// vectorKind is a token that says nothing of its type.
var vectorKind = kind{step: "vector", limit: MaxIDToken, types: []string{"JWT"}}

var everyAlgorithm = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// verifyVector sends a token the way of every token of a provider's: its key
// set is read, the token taken apart, its key found, its signature verified.
func verifyVector(f *fake, keySet []byte, token string) ([]byte, error) {
	keys, err := parseKeys("vector", rawAnswer(200, "application/json", string(keySet)))
	if err != nil {
		return nil, err
	}
	p := f.provider("")
	p.meta, p.keys, p.keysUntil, p.keysForced[ofProvider] = &metadata{}, keys, f.now.Add(1<<40), f.now
	signed, err := p.parseAs(&vectorKind, token, everyAlgorithm)
	if err != nil {
		return nil, err
	}
	return p.verify(f.env(), signed)
}

type wycheproofGroup struct {
	Comment string          `json:"comment"`
	Public  json.RawMessage `json:"public"`
	Private json.RawMessage `json:"private"`
	Tests   []struct {
		ID      int             `json:"tcId"`
		Comment string          `json:"comment"`
		JWS     json.RawMessage `json:"jws"`
		Result  string          `json:"result"`
	} `json:"tests"`
}

func wycheproofGroups(t *testing.T, name string) []wycheproofGroup {
	t.Helper()
	raw, err := fs.ReadFile(wycheproof.TestVectors, name)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []wycheproofGroup `json:"testGroups"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	return file.Groups
}

// keySet is the group's key or keys as a provider would publish them.
func (g *wycheproofGroup) keySet() []byte {
	raw := g.Public
	if raw == nil {
		raw = g.Private
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(raw, &set) == nil && set.Keys != nil {
		return raw
	}
	return fmt.Appendf(nil, `{"keys":[%s]}`, raw)
}

// token is the token of a test; one that is no string is given as it is.
func token(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return string(raw)
	}
	return s
}

// stricter is a group of vectors that are valid, and refused here.
type stricter struct {
	why, reason string
	ids         []int
}

func TestTheSignaturesOfWycheproof(t *testing.T) {
	const hmac = "no token of a provider's is verified with a secret that we share"
	for _, c := range []struct {
		file            string
		tests, verified int
		stricter        []stricter
	}{
		{"json_web_signature_test.json", 401, 26, []stricter{
			{hmac, "no_usable_key", []int{1, 348, 352, 357, 358, 359, 372, 373, 376, 377}},
			{"no token of a provider's is empty", "malformed_or_algorithm", []int{259, 264, 268, 272, 320, 325}},
			{"the key is for another algorithm by its own word", "key_unknown", []int{346, 347, 350, 351}},
		}},
		{"json_web_key_test.json", 26, 1, []stricter{{hmac, "no_usable_key", []int{2, 13, 14, 15}}}},
	} {
		t.Run(c.file, func(t *testing.T) {
			refused := map[int]string{}
			for _, s := range c.stricter {
				for _, id := range s.ids {
					refused[id] = s.reason
				}
			}
			tests, verified := 0, 0
			f := newFake(t)
			for _, g := range wycheproofGroups(t, c.file) {
				for _, v := range g.Tests {
					tests++
					_, err := verifyVector(f, g.keySet(), token(v.JWS))
					reason, isStricter := refused[v.ID]
					switch {
					case err == nil && v.Result == "valid" && !isStricter:
						verified++
					case err == nil:
						t.Errorf("%d, %s: %s was accepted", v.ID, g.Comment, v.Comment)
					case isStricter && (Reason(err) != reason || v.Result != "valid"):
						t.Errorf("%d, %s: %s, %s: %v", v.ID, g.Comment, v.Comment, v.Result, err)
					case v.Result == "valid" && !isStricter:
						t.Errorf("%d, %s: %s was refused: %v", v.ID, g.Comment, v.Comment, err)
					}
				}
			}
			if tests != c.tests || verified != c.verified {
				t.Errorf("%d tests, %d verified; want %d and %d", tests, verified, c.tests, c.verified)
			}
		})
	}
}
