package main

import (
	"encoding/json"
	"testing"

	"github.com/postern-auth/postern/internal/config"
)

func TestTheRulesThatAreMeasuredAreGoodSettings(t *testing.T) {
	for _, n := range []int{0, 5, 99, 1000} {
		var settings object
		if err := json.Unmarshal([]byte(rulesSettings("https://id.example.com", n)), &settings); err != nil {
			t.Fatal(err)
		}
		delete(settings["providers"].([]any)[0].(object), "insecure_issuer") // this issuer is a secure one
		text, _ := json.Marshal(settings)
		c, err := config.Parse(text, func(string) (string, bool) { return "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", true })
		if err != nil {
			t.Errorf("%d rules: %v", n, err)
		} else if len(c.Rules) != n {
			t.Errorf("%d rules where %d were asked for", len(c.Rules), n)
		}
	}
}
