package conversation

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProvidersStandSideBySide(t *testing.T) {
	p := &player{script: &Script{}}
	for address, want := range map[string]string{
		OtherIssuer + wellKnown: `"token_endpoint":"` + OtherIssuer + `/token"`,
		OtherIssuer + "/keys":   `"kid":"o1"`,
		Issuer + wellKnown:      `"token_endpoint":"https://id.example.com/token"`,
	} {
		r, ok := p.auto(Call{URL: address})
		if !ok || !strings.Contains(r.Body, want) {
			t.Errorf("%s: %s", address, r.Body)
		}
	}
	if r, _ := p.auto(Call{URL: "https://id.example.com/keys"}); strings.Contains(r.Body, `"kid":"o1"`) {
		t.Error("a provider publishes the other's key")
	}
}

func TestProvidersAreLaidOverThoseOfTheirNames(t *testing.T) {
	s := &Script{folder: corpus, files: map[string]string{"settings.json": `{"providers": [{}, {"name": "other", "client_id": "mine"}, {"name": "third"}, {"name": "fourth"}]}`,
		"without-main.json": `{"providers": [{"name": "third", "cluster": "c"}]}`, "renamed.json": `{"providers": [{"name": "renamed"}]}`}}
	for file, want := range map[string][]string{
		"settings.json":     {"main idp shop " + Issuer, "other other mine " + OtherIssuer, "third third shop-at-third " + ThirdIssuer, "fourth   "},
		"without-main.json": {"third c shop-at-third " + ThirdIssuer},
		"renamed.json":      {"renamed idp shop " + Issuer},
	} {
		text, err := s.settings(file)
		if err != nil {
			t.Fatal(err)
		}
		var settings struct{ Providers []map[string]any }
		if err := json.Unmarshal(text, &settings); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range settings.Providers {
			var words []string
			for _, name := range []string{"name", "cluster", "client_id", "issuer"} {
				word, _ := p[name].(string)
				words = append(words, word)
			}
			got = append(got, strings.Join(words, " "))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
}

func TestADiscoveryFileChangesItsProviderAlone(t *testing.T) {
	s := &Script{files: map[string]string{"discovery.json": `{"x": "of main"}`, "discovery-other.json": `{"issuer": "https://evil.example", "x": "of other"}`}}
	for issuer, want := range map[string][]string{
		Issuer: {`"x":"of main"`, Issuer}, OtherIssuer: {`"x":"of other"`, `"issuer":"https://evil.example"`}, ThirdIssuer: {ThirdIssuer, "https://sso.example.org/keys"},
	} {
		doc, err := s.discovery(issuer)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range want {
			if !strings.Contains(doc, text) {
				t.Errorf("%s: %s", issuer, doc)
			}
		}
		if issuer == ThirdIssuer && strings.Contains(doc, `"x"`) {
			t.Errorf("%s: %s", issuer, doc)
		}
	}
}

func TestIDTokensOfOtherProvidersAreTheirs(t *testing.T) {
	p := &player{script: &Script{}}
	p.reset(Case{})
	for name, want := range map[string]string{"idtoken_other": `"aud":"shop-at-other"`, "idtoken_third": `"iss":"` + ThirdIssuer + `"`, "idtoken": `"aud":"shop"`} {
		token, err := p.vars.funcs[name]("sub=bob")
		if err != nil {
			t.Fatal(err)
		}
		claims, err := part(1, token)
		if err != nil {
			t.Fatal(err)
		}
		if claims, err = p.vars.funcs["unbase64url"](claims); err != nil || !strings.Contains(claims, want) || !strings.Contains(claims, `"sub":"bob"`) {
			t.Errorf("%s: %s, %v", name, claims, err)
		}
	}
}

func TestOneProviderIsAwayWithoutTheOthers(t *testing.T) {
	for _, text := range []string{"other sideways", "sideways", "other"} {
		if err := new(player).reach(text); err == nil {
			t.Errorf("%s: understood", text)
		}
	}
	g := &nativeGate{setup: Setup{Settings: []byte(`{"providers":[{"cluster":"a"},{"cluster":"b"}]}`)}, down: map[string]bool{}}
	p := &player{gate: g}
	for _, step := range []struct {
		text string
		a, b bool
	}{{"b down", false, true}, {"down", true, true}, {"a up", false, true}, {"up", false, false}} {
		if err := p.reach(step.text); err != nil || g.down["a"] != step.a || g.down["b"] != step.b {
			t.Errorf("%s: %v, %v", step.text, g.down, err)
		}
	}
}
