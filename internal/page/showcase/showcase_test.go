package showcase

import (
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/page"
)

// A page is one answer, and most come where something is amiss: it has to come
// through a slow line, and is nothing to make somebody's proxy busy with.
func TestNoPageIsLargeInAnyLanguage(t *testing.T) {
	s, err := page.New(page.Options{Title: "Example Shop", Text: strings.Repeat("x", 500), Colors: map[string]string{"accent": "#8a1538", "card": "#fffdf7"}})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, sample := range Samples(Site{Prefix: "/oauth2"}) {
		if names[sample.Name] || sample.About == "" {
			t.Errorf("%s: is there already, or says not what it is about", sample.Name)
		}
		names[sample.Name] = true
		for _, tag := range page.Languages() {
			body, header := sample.Write(s, tag)
			if len(body) > 15<<10 {
				t.Errorf("%s in %s has %d bytes", sample.Name, tag, len(body))
			}
			if strings.Contains(string(body), "<script") {
				t.Errorf("%s runs a script", sample.Name)
			}
			if got, _ := header.Only("content-language"); got != tag {
				t.Errorf("%s is in %q, not in %s", sample.Name, got, tag)
			}
		}
	}
}

func TestTheSiteOffersItsOwnWaysToSignIn(t *testing.T) {
	s, err := page.New(page.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range Samples(Site{Prefix: "/login", Choices: []page.Choice{{Name: "Harbour", URL: "/login/start"}}}) {
		body, _ := sample.Write(s, "en")
		if strings.Contains(string(body), "GitHub") || strings.Contains(string(body), "/oauth2/") {
			t.Errorf("%s is not of this site: %s", sample.Name, body)
		}
	}
}
