package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/page"
)

const pagesSettings = goodSettings + `
sign_in: {title: Harbour Office}
pages:
  colors: {accent: "#8a1538"}
  texts: {de: {sign_in: Einloggen}}
`

func TestPagesAreWrittenWithTheLookOfTheSettings(t *testing.T) {
	directory := t.TempDir()
	file := filepath.Join(t.TempDir(), "settings.yaml")
	if err := os.WriteFile(file, []byte(pagesSettings), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := run(t, "", "pages", file, "-o", directory)
	if code != 0 || !strings.Contains(out, "index.html") || errOut != "" {
		t.Fatalf("exit %d: %s%s", code, out, errOut)
	}
	for name, wants := range map[string][]string{
		"de/sign_in.html":    {"Harbour Office", "#8a1538", "Einloggen", "<bdi>main</bdi>"},
		"en/sign_in.html":    {"Harbour Office", "Sign in"},
		"ja/signed_out.html": {"サインアウトしました"},
		"index.html":         {`href="zh/denied.html"`},
	} {
		text, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil {
			t.Error(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s has no %q", name, want)
			}
		}
	}
}

func TestPagesSaysWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		settings string
		args     []string
		code     int
		want     string
	}{
		"nowhere to write to":         {"", []string{"pages"}, 2, "--output"},
		"settings that are not there": {"", []string{"pages", "/nonexistent.yaml", "-o", "/nonexistent"}, 2, "no such file"},
		"a directory that cannot be":  {"", []string{"pages", "-o", "/dev/null/x"}, 2, "not a directory"},
		"texts into files":            {"", []string{"pages", "--texts", "-o", "x"}, 2, "--texts"},
		"texts of no language":        {"", []string{"pages", "--texts", "tlh"}, 2, `"tlh"`},
		"too much":                    {"", []string{"pages", "a", "b"}, 2, "arg"},
		"a colour that is none":       {strings.Replace(pagesSettings, "#8a1538", "red", 1), []string{"pages", "-o", t.TempDir()}, 1, "pages.colors.accent"},
		"a text of no name":           {strings.Replace(pagesSettings, "sign_in: Ein", "sign_im: Ein", 1), []string{"pages", "-o", t.TempDir()}, 1, "pages.texts.de.sign_im: is not the name of a text; did you mean sign_in?"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.settings != "" {
				file := filepath.Join(t.TempDir(), "settings.yaml")
				if err := os.WriteFile(file, []byte(test.settings), 0o600); err != nil {
					t.Fatal(err)
				}
				test.args = append(test.args, file)
			}
			code, out, errOut := run(t, "", test.args...)
			if code != test.code || !strings.Contains(errOut, test.want) {
				t.Errorf("exit %d, want %d with %q:\n%s%s", code, test.code, test.want, out, errOut)
			}
		})
	}
}

func TestTextsArePrintedAsTheSettingsTakeThem(t *testing.T) {
	t.Setenv("TEST_SECRET", "hush-hush")
	t.Setenv("TEST_KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	for _, language := range append(page.Languages(), "") {
		code, out, errOut := run(t, "", "pages", "--texts", language)
		if code != 0 {
			t.Fatalf("exit %d: %s", code, errOut)
		}
		text, err := yaml.YAMLToJSON([]byte(goodSettings + out))
		if err != nil {
			t.Fatal(err)
		}
		c, err := config.Parse(text, os.LookupEnv)
		if err != nil {
			t.Errorf("%q: %v", language, err)
			continue
		}
		if language != "" && len(c.Pages.Texts[language]) != len(page.Texts(language)) {
			t.Errorf("%q: %d texts", language, len(c.Pages.Texts[language]))
		}
	}
}

func TestWhatTheDocumentationSaysOfPagesWorks(t *testing.T) {
	t.Setenv("TEST_SECRET", "hush-hush")
	t.Setenv("TEST_KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	text, err := os.ReadFile("../../docs/pages.md")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		if !strings.HasPrefix(block, "pages:") {
			continue
		}
		tried++
		settings, err := yaml.YAMLToJSON([]byte(goodSettings + block))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := config.Parse(settings, os.LookupEnv); err != nil {
			t.Errorf("%v in\n%s", err, block)
		}
	}
	if tried < 3 {
		t.Errorf("%d examples", tried)
	}
}
