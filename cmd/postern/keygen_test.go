package main

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

func TestKeygenPrintsAKeyThatTheSettingsTake(t *testing.T) {
	code, out, errOut := run(t, "", "keygen")
	if code != 0 || errOut != "" || strings.Count(out, "\n") != 1 {
		t.Fatalf("exit %d: %q, %q", code, out, errOut)
	}
	key := strings.TrimSuffix(out, "\n")
	if b, err := base64.StdEncoding.DecodeString(key); err != nil || len(b) != 32 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	t.Setenv("TEST_SECRET", "hush-hush")
	t.Setenv("TEST_KEY", key)
	if code, out, errOut := run(t, goodSettings, "check"); code != 0 {
		t.Errorf("the key is refused: %s%s", out, errOut)
	}
}

func TestKeygenPrintsAnEntryThatTheSettingsTake(t *testing.T) {
	code, out, errOut := run(t, "", "keygen", "--id", "2026-11_a.b")
	if code != 0 || errOut != "" || strings.Count(out, "\n") != 1 {
		t.Fatalf("exit %d: %q, %q", code, out, errOut)
	}
	var entry struct{ ID, Value string }
	if err := json.Unmarshal([]byte(out), &entry); err != nil || entry.ID != "2026-11_a.b" {
		t.Errorf("%+v, %v", entry, err)
	}
	t.Setenv("TEST_SECRET", "hush-hush")
	settings := strings.Replace(goodSettings, "{id: a, env: TEST_KEY}", strings.TrimSpace(out), 1)
	if code, out, errOut := run(t, settings, "check"); code != 0 {
		t.Errorf("the entry is refused: %s%s", out, errOut)
	}
}

func TestKeygenMakesANewKeyEachTime(t *testing.T) {
	keys := map[string]bool{}
	for range 10 {
		_, out, _ := run(t, "", "keygen")
		keys[out] = true
	}
	if len(keys) != 10 {
		t.Errorf("%d different keys of 10", len(keys))
	}
}

func TestKeygenRefusesAnIDThatTheSettingsWould(t *testing.T) {
	for _, id := range []string{"", "a b", "a/b", "é", "a\n", strings.Repeat("a", 33)} {
		if code, out, errOut := run(t, "", "keygen", "--id", id); code != exitUsage || out != "" || !strings.Contains(errOut, "--id") {
			t.Errorf("%q: exit %d: %q, %q", id, code, out, errOut)
		}
	}
}
