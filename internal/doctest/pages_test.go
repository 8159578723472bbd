package doctest

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// Kinds are what a block may say that it is. Those without a test of their own
// here have one elsewhere: docs/identity.md's code runs in e2e.
var kinds = []string{
	"yaml", "json", "sh", "console", "nginx", "promql", "go", "js", "python",
	"text", // what somebody sees: an answer, a message, a picture made of letters
}

func pages(t *testing.T) []*Page {
	t.Helper()
	all, err := Pages(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("only %d documents were found", len(all))
	}
	return all
}

// blocks are those of the given kinds.
func blocks(t *testing.T, of ...string) []Block {
	t.Helper()
	var all []Block
	for _, p := range pages(t) {
		for _, b := range p.Blocks {
			if slices.Contains(of, b.Kind) {
				all = append(all, b)
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("no blocks of %q", of)
	}
	return all
}

func TestEveryBlockSaysWhatItIs(t *testing.T) {
	for _, p := range pages(t) {
		for _, b := range p.Blocks {
			if !slices.Contains(kinds, b.Kind) {
				t.Errorf("%s: a block of the kind %q, of %q", b.Where(), b.Kind, kinds)
			}
		}
	}
}

func TestEveryLinkWithinTheProjectLeadsSomewhere(t *testing.T) {
	anchors := map[string]map[string]bool{}
	for _, p := range pages(t) {
		anchors[p.Path] = p.Anchors()
	}
	for _, p := range pages(t) {
		for _, link := range p.Links() {
			u, err := url.Parse(link)
			if err != nil {
				t.Errorf("%s: %v", p.Path, err)
				continue
			}
			if u.Scheme != "" || u.Host != "" {
				if u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "mailto" {
					t.Errorf("%s: a link to %s", p.Path, link)
				}
				continue
			}
			target := p.Path
			if u.Path != "" {
				target = path.Join(path.Dir(p.Path), u.Path)
			}
			if strings.HasPrefix(target, "..") {
				t.Errorf("%s: %s leads out of the project", p.Path, link)
			} else if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(target))); err != nil {
				t.Errorf("%s: nothing is at %s", p.Path, link)
			} else if u.Fragment != "" && !anchors[target][u.Fragment] {
				t.Errorf("%s: nothing is at %s: no such heading", p.Path, link)
			}
		}
	}
}

// TestEveryPageIsLedTo keeps pages from being lost: each is linked to from
// another one.
func TestEveryPageIsLedTo(t *testing.T) {
	led := map[string]bool{"README.md": true}
	for _, p := range pages(t) {
		for _, link := range p.Links() {
			file, _, _ := strings.Cut(link, "#")
			if target := path.Join(path.Dir(p.Path), file); target != p.Path {
				led[target], led[path.Join(target, "README.md")] = true, true
			}
		}
	}
	for _, p := range pages(t) {
		if !led[p.Path] {
			t.Errorf("no page leads to %s", p.Path)
		}
	}
}
