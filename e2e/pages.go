package e2e

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/postern-auth/postern/internal/page"
	"github.com/postern-auth/postern/internal/page/showcase"
)

// A PageServer serves every page of ours under its name, with the fields that the
// gate sends it with; below a language's tag in that language.
type PageServer struct {
	*httptest.Server
	Samples []showcase.Sample
}

// NewPageServer serves pages of a look; the test's end stops it.
func NewPageServer(t testing.TB, look page.Options, site showcase.Site) *PageServer {
	t.Helper()
	pages, err := page.New(look)
	if err != nil {
		t.Fatal(err)
	}
	s := &PageServer{Samples: showcase.Samples(site)}
	mux := http.NewServeMux()
	for _, sample := range s.Samples {
		mux.HandleFunc("GET /{language}/"+sample.Name, func(w http.ResponseWriter, r *http.Request) {
			body, header := sample.Write(pages, r.PathValue("language"))
			for _, f := range header {
				if f.Name != "refresh" { // which would lead away before anybody has looked
					w.Header().Add(f.Name, f.Value)
				}
			}
			_, _ = w.Write(body)
		})
	}
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// Address is where a page is in a language.
func (s *PageServer) Address(language, name string) string {
	return s.URL + "/" + language + "/" + name
}

// Axe is the accessibility checker, as a script.
func Axe(t testing.TB) string {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join(root, "tools", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("e2e: axe: %v (make setup fetches it)", err)
	}
	return string(script)
}

// Load runs a script in the page that is shown, whatever its policy says of
// scripts.
func (c *Chromium) Load(script string) {
	c.t.Helper()
	get(c, "run a script", chromedp.Evaluate[bool](script+"\n;true"))
}

// Violations is what axe, which has been loaded, finds wrong with the page that is
// shown, each with the element.
func (c *Chromium) Violations() []string {
	c.t.Helper()
	const run = `axe.run(document, {resultTypes: ["violations"]}).then(found =>
	found.violations.flatMap(v => v.nodes.map(n => v.id + ": " + v.help + ": " + n.html.slice(0, 200))))`
	return get(c, "run axe", chromedp.Evaluate[[]string](run, chromedp.EvalAwaitPromise))
}

// Wider reports whether the page that is shown has to be scrolled sideways.
func (c *Chromium) Wider() bool {
	c.t.Helper()
	return get(c, "measure", chromedp.Evaluate[bool](`document.documentElement.scrollWidth > document.documentElement.clientWidth`))
}

// inMedia emulates features of media, such as a colour scheme.
func inMedia(features map[string]string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		var p emulation.SetEmulatedMediaParams
		for name, value := range features {
			p.Features = append(p.Features, &emulation.MediaFeature{Name: name, Value: value})
		}
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, p)
		return chromedp.Void{}, err
	}
}

// inRows is a list for a message.
func inRows(list []string) string { return strings.Join(list, "\n\t") }
