package conversation

import (
	"path/filepath"
	"testing"
)

const corpus = "../../testdata/conversations"

// loadCorpus reads every script.
func loadCorpus(t *testing.T) []*Script {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(corpus, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	var scripts []*Script
	for _, path := range paths {
		s, err := Load(path)
		if err != nil {
			t.Error(err)
			continue
		}
		scripts = append(scripts, s)
	}
	if len(scripts) == 0 {
		t.Fatal("there are no scripts")
	}
	return scripts
}

func TestConversations(t *testing.T) {
	for _, d := range []struct {
		name  string
		start func() (Driver, error)
	}{
		{"native", func() (Driver, error) { return Native(), nil }},
		{"module", func() (Driver, error) { return Module("../..") }},
		{"envoy", func() (Driver, error) { return Envoy("../..") }},
	} {
		t.Run(d.name, func(t *testing.T) {
			driver, err := d.start()
			if err != nil {
				t.Fatal(err)
			}
			playAll(t, driver)
		})
	}
}

// playAll plays the corpus on one driver, and says what it left out and why.
func playAll(t *testing.T, d Driver) {
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	played, left, cases := 0, 0, 0
	for _, s := range loadCorpus(t) {
		if !s.RunsOn(d.Name()) {
			t.Logf("%s is not for %s: %s", s.Name, d.Name(), s.Why)
			left++
			continue
		}
		played++
		t.Run(s.Name, func(t *testing.T) {
			Play(s, d, func(name string, play func() error) {
				cases++
				if name == "" {
					if err := play(); err != nil {
						t.Error(err)
					}
					return
				}
				t.Run(name, func(t *testing.T) {
					if err := play(); err != nil {
						t.Error(err)
					}
				})
			})
		})
	}
	t.Logf("%s: %d scripts with %d conversations; %d scripts are not for it", d.Name(), played, cases, left)
}
