package main

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/page"
	"github.com/postern-auth/postern/internal/page/showcase"
)

// showing is what pages was asked.
type showing struct {
	directory string
	texts     bool
}

func newPages() *cobra.Command {
	var k showing
	cmd := &cobra.Command{
		Use:   "pages [SETTINGS] -o DIRECTORY",
		Short: "Write every page that people may see into files, to look at them",
		Long: `Pages writes each page in each language, with the title, logo, colours, texts,
templates and providers of the settings, into files below a directory; its
index.html leads to them all. Without settings they look as they come. What is
within the pages is made up.

With --texts it writes nothing, but prints what pages say, under the names and in
the form in which pages.texts of the settings takes other words: in all languages,
or in the one that is named.

It exits with 0 if all is well; with 1 if the settings are not valid; and with 2
if a file cannot be read or written, or it was called wrongly.`,
		Example: `  postern pages settings.yaml -o pages
  postern pages -o pages
  postern pages --texts de`,
		Args:              usageArgs(cobra.MaximumNArgs(1)),
		ValidArgsFunction: proposePages,
		RunE:              func(cmd *cobra.Command, args []string) error { return k.run(cmd, append(args, "")[0]) },
	}
	cmd.Flags().StringVarP(&k.directory, "output", "o", "", "the directory to write to, which is made if there is none")
	cmd.Flags().BoolVar(&k.texts, "texts", false, "print our own texts instead; an argument is then a language")
	_ = cmd.MarkFlagDirname("output")
	return cmd
}

func (k *showing) run(cmd *cobra.Command, argument string) error {
	switch {
	case k.texts && k.directory != "":
		return usageError{fmt.Errorf("--texts writes no files: leave out --output; see %s --help", cmd.CommandPath())}
	case k.texts:
		return writeTexts(cmd.OutOrStdout(), argument)
	case k.directory == "":
		return usageError{fmt.Errorf("where to? --output names a directory; see %s --help", cmd.CommandPath())}
	}
	look, site := page.Options{}, showcase.Site{Prefix: "/oauth2"}
	if argument != "" {
		s, err := readSettings(cmd, argument, false)
		if err != nil {
			return refused(cmd, "text", err)
		}
		look, site = s.Look(), siteOf(s.Config)
	}
	pages, err := page.New(look)
	if err != nil {
		return err
	}
	samples := showcase.Samples(site)
	if err := writePages(k.directory, pages, languagesOf(look), samples); err != nil {
		return usageError{err}
	}
	p := newPaper(cmd.OutOrStdout())
	p.line("%d pages in %d languages: look at %s", len(samples), len(languagesOf(look)), filepath.Join(k.directory, "index.html"))
	return nil
}

func languagesOf(look page.Options) []string {
	if look.Language != "" && look.Language != "auto" {
		return []string{look.Language}
	}
	return page.Languages()
}

// siteOf is where settings let people sign in.
func siteOf(c *config.Config) showcase.Site {
	site := showcase.Site{Prefix: c.PathPrefix}
	for i := range c.Providers {
		p := &c.Providers[i]
		if !p.SignsIn() {
			continue
		}
		site.Choices = append(site.Choices, page.Choice{
			Name: cmp.Or(p.DisplayName, p.Name), URL: c.PathPrefix + "/start?provider=" + p.Name + "&rd=%2F",
			Kind: p.Type, Logo: p.Logo, Color: p.Color,
		})
		site.Email = site.Email || len(p.EmailDomains) > 0
	}
	return site
}

// writePages writes each page into a directory for its language, and the index
// beside these.
func writePages(directory string, pages *page.Pages, languages []string, samples []showcase.Sample) error {
	for _, tag := range languages {
		if err := os.MkdirAll(filepath.Join(directory, tag), 0o755); err != nil {
			return err
		}
		for _, s := range samples {
			body, _ := s.Write(pages, tag)
			if err := os.WriteFile(filepath.Join(directory, tag, s.Name+".html"), body, 0o644); err != nil {
				return err
			}
		}
	}
	return os.WriteFile(filepath.Join(directory, "index.html"), []byte(indexOf(languages, samples)), 0o644)
}

const indexHead = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Pages</title>
<style>
*{box-sizing:border-box}
body{margin:0;display:grid;grid-template-columns:minmax(20rem,auto) 1fr;block-size:100vh;font:0.875rem/1.5 system-ui,sans-serif}
nav{overflow:auto;padding:1rem}
iframe{inline-size:100%;block-size:100%;border:0;border-inline-start:1px solid color-mix(in srgb,currentColor 25%,transparent)}
td{padding:.125rem .5rem .125rem 0}
</style>
<nav>
<table>
`

// indexOf is a page that leads to all pages, and shows one beside.
func indexOf(languages []string, samples []showcase.Sample) string {
	var b strings.Builder
	b.WriteString(indexHead)
	for _, s := range samples {
		fmt.Fprintf(&b, "<tr><td>%s</td>", html.EscapeString(s.About))
		for _, tag := range languages {
			fmt.Fprintf(&b, `<td><a href="%s/%s.html" target="page">%s</a></td>`, tag, s.Name, tag)
		}
		b.WriteString("</tr>\n")
	}
	fmt.Fprintf(&b, "</table>\n</nav>\n<iframe name=\"page\" title=\"A page\" src=\"%s/%s.html\"></iframe>\n</html>\n", languages[0], samples[0].Name)
	return b.String()
}

// writeTexts prints texts as YAML that pages.texts takes.
func writeTexts(out io.Writer, language string) error {
	languages := page.Languages()
	switch {
	case language == "":
	case !slices.Contains(languages, language):
		return usageError{fmt.Errorf("there are no texts in %q, but in %s", language, strings.Join(languages, ", "))}
	default:
		languages = []string{language}
	}
	fmt.Fprint(out, "pages:\n  texts:\n")
	for _, tag := range languages {
		fmt.Fprintf(out, "    %s:\n", tag)
		for _, t := range page.Texts(tag) {
			fmt.Fprintf(out, "      %s: %s\n", t.Name, inQuotes(t.Text))
		}
	}
	return nil
}

// inQuotes is a text as YAML has it in double quotes; ours are one line each.
func inQuotes(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
