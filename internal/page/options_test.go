package page

import (
	"regexp"
	"strings"
	"testing"
)

func TestOptionsThatDoNotFit(t *testing.T) {
	text := func(name, text string) Options {
		return Options{Texts: map[string]map[string]string{"en": {name: text}}}
	}
	for name, tc := range map[string]struct {
		options Options
		want    string
	}{
		"a language that there is not":       {Options{Language: "e n"}, "page: language: is not known; did you mean en?"},
		"a colour of no name":                {Options{Colors: map[string]string{"fg": "#000000"}}, "page: colors.fg: is none of accent,"},
		"a colour by its name":               {Options{Colors: map[string]string{"accent": "red"}}, "page: colors.accent: must be #"},
		"a colour of digits that are none":   {Options{Colors: map[string]string{"accent": "#12345g"}}, "page: colors.accent: must be #"},
		"a colour with something after it":   {Options{Colors: map[string]string{"accent": "#12345}*{"}}, "page: colors.accent: must be #"},
		"text that cannot be read":           {Options{Colors: map[string]string{"text": "#aaaaaa"}}, "page: colors: text cannot be read on background"},
		"text that cannot be read in dark":   {Options{Colors: map[string]string{"background_dark": "#8899aa"}}, "page: colors: text_dark cannot be read on background_dark"},
		"texts of no language":               {Options{Texts: map[string]map[string]string{"it": {}}}, "page: texts.it: is none of en, de"},
		"a text of a name that is not":       {text("colour", "x"), "page: texts.en.colour: is not the name of a text (postern"},
		"a text without its placeholder":     {text("continue_with", "Go"), "once each: {name}"},
		"a text with a placeholder twice":    {text("continue_with", "{name} {name}"), "once each: {name}"},
		"a text with another placeholder":    {text("continue_with", "{host}"), "once each: {name}"},
		"a text with a brace of its own":     {text("sign_in", "Sign {in"), "without braces"},
		"a text with a closing brace":        {text("continue_with", "} {name}"), "once each: {name}"},
		"an empty text":                      {text("sign_in", " "), "must not be empty"},
		"a long text":                        {text("sign_in", strings.Repeat("x", 601)), "longer"},
		"a text of two lines":                {text("sign_in", "a\nb"), "one line"},
		"a text that turns what follows":     {text("sign_in", "a\u202eb"), "control characters"},
		"an explanation of one part":         {text("error.404", "Gone"), "what happened, why"},
		"an explanation of four":             {text("error.404", "a | b | c | d"), "what happened, why"},
		"a template of no page":              {Options{Templates: map[string]string{"sign-in": "x"}}, "did you mean sign_in?"},
		"a template that is no whole page":   {Options{Templates: map[string]string{"page": "{{content}}"}}, "page: templates.page: line 1: must begin with <!doctype html>"},
		"a template that says nothing":       {Options{Templates: map[string]string{"page": "<!doctype html>{{title}}"}}, "must hold {{content}}"},
		"a sign-in that leads nowhere":       {Options{Templates: map[string]string{"sign_in": "<!doctype html>{{lead}}"}}, "{{choices}}"},
		"an error that says not what it was": {Options{Templates: map[string]string{"error": "<!doctype html>{{choices}}"}}, "{{lead}}"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(tc.options); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAllFlawsAreTold(t *testing.T) {
	flaws := Check(Options{Language: "x", Colors: map[string]string{"b": "", "a": ""}, Templates: map[string]string{"q": ""}})
	var got []string
	for _, f := range flaws {
		got = append(got, strings.Join(f.Path, "."))
	}
	if want := "language colors.a colors.b templates.q"; strings.Join(got, " ") != want {
		t.Errorf("got %q", got)
	}
}

// Whatever colours somebody chooses, text and controls can be seen on what they
// stand on.
func TestColoursOfOnesOwnHaveEnoughContrast(t *testing.T) {
	for name, colours := range map[string]map[string]string{
		"an accent":                       {"accent": "#8a1538"},
		"a light accent":                  {"accent": "#ffe566"},
		"a dark accent in the dark":       {"accent_dark": "#14213d"},
		"an accent in the middle":         {"accent": "#777777"},
		"a card of its own":               {"card": "#fff4e0", "background": "#ffe9c2", "text": "#3b2a00"},
		"light on dark at all times":      {"card": "#101820", "background": "#000000", "text": "#f2f2f2", "accent": "#f2aa4c"},
		"text that only just can be read": {"text": "#6b6b6b"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, scheme := range []string{"light", "dark"} {
				got := shownIn(t, scheme, colours)
				for _, pair := range []struct {
					on, under string
					least     float64
				}{
					{"text", "card", 4.5}, {"soft", "card", 4.5}, {"text", "ground", 4.5}, {"soft", "ground", 4.45}, {"on-accent", "accent", 4.5},
					{"on-accent", "accent-strong", 4.5}, {"ring", "card", 3}, {"edge", "card", 3}, {"good", "card", 3}, {"bad", "card", 4.5},
				} {
					if c := contrast(t, got[pair.on], got[pair.under]); c < pair.least {
						t.Errorf("%s: %s on %s (%s on %s) has %.2f", scheme, pair.on, pair.under, got[pair.on], got[pair.under], c)
					}
				}
			}
		})
	}
}

// shownIn are the colours that a browser takes in a scheme: the last that are for it.
func shownIn(t *testing.T, scheme string, colours map[string]string) map[string]string {
	t.Helper()
	sheet := look(t, func(o *Options) { o.Colors = colours }).sheet
	styles := ""
	for _, m := range regexp.MustCompile(`(?:@media \(prefers-color-scheme:(\w+)\)\{)?:root\{([^}]*)\}`).FindAllStringSubmatch(sheet, -1) {
		if m[1] == "" || m[1] == scheme {
			styles += ";" + m[2]
		}
	}
	return properties(styles)
}

func TestWhatIsNotNamedForASchemeIsOursThere(t *testing.T) {
	named := map[string]string{"background": "#fff8f2", "card": "#fffffe", "text": "#2b1a1f"}
	light, dark, ours := shownIn(t, "light", named), shownIn(t, "dark", named), shownIn(t, "dark", nil)
	if light["card"] != "fffffe" || light["ground"] != "fff8f2" || light["text"] != "2b1a1f" {
		t.Errorf("light: %v", light)
	}
	for _, name := range []string{"card", "ground", "text", "line", "soft", "edge", "good", "bad"} {
		if dark[name] != ours[name] {
			t.Errorf("dark: %s is %s, and ours %s", name, dark[name], ours[name])
		}
	}
	named = map[string]string{"background_dark": "#000000", "card_dark": "#101010"}
	if light, ours = shownIn(t, "light", named), shownIn(t, "light", nil); light["card"] != ours["card"] || light["soft"] != ours["soft"] {
		t.Errorf("light: %v", light)
	}
	if dark = shownIn(t, "dark", named); dark["ground"] != "000000" || dark["card"] != "101010" {
		t.Errorf("dark: %v", dark)
	}
}

// Of a warning one should see that it is one.
func TestMarksKeepTheirColourWhereItCanBeSeen(t *testing.T) {
	for _, scheme := range []string{"light", "dark"} {
		ours := shownIn(t, scheme, nil)
		got := shownIn(t, scheme, map[string]string{"card": "#fffdf7", "text": "#33270a", "card_dark": "#14100a", "text_dark": "#fff4e0"})
		if got["good"] != ours["good"] || got["bad"] != ours["bad"] {
			t.Errorf("%s: good is %s and bad %s, and ours %s and %s", scheme, got["good"], got["bad"], ours["good"], ours["bad"])
		}
	}
}

func properties(styles string) map[string]string {
	all := map[string]string{}
	for _, m := range regexp.MustCompile(`--([a-z-]+):#([0-9a-f]+)`).FindAllStringSubmatch(styles, -1) {
		all[m[1]] = m[2]
	}
	return all
}

func TestOurColoursAreThoseOfTheStyles(t *testing.T) {
	schemes := regexp.MustCompile(`(?s)--ground:.*?--shadow`).FindAllString(style, -1)
	for i, p := range []palette{lightPalette, darkPalette} {
		got := properties(schemes[i])
		for name, c := range map[string]colour{"accent": p.accent, "ground": p.background, "card": p.card, "text": p.text, "good": p.good, "bad": p.bad} {
			want := got[name]
			if len(want) == 3 {
				want += want
			}
			if c.String() != "#"+want {
				t.Errorf("%d: %s is %s, and in the styles #%s", i, name, c, want)
			}
		}
	}
}

func TestAChoiceOfItsOwnColourCanBeRead(t *testing.T) {
	s := look(t, nil)
	for name, tc := range map[string]struct{ colour, text, edge string }{
		"a dark one":                  {"#14213d", "color:#ffffff", "var(--edge)"},
		"a light one":                 {"#ffe566", "color:#000000", "var(--edge)"},
		"one that is seen everywhere": {"#8A1538", "color:#ffffff", "border-color:#8a1538"},
	} {
		body, header := s.SignIn("", SignInPage{Choices: []Choice{{Name: "A", URL: "/a", Color: tc.colour}}})
		if !strings.Contains(string(body), tc.text) || !strings.Contains(string(body), tc.edge) {
			t.Errorf("%s: got %s", name, body)
		}
		checkPolicy(t, name, rendered{body, header})
	}
}

func TestAnAccentAloneIsThatOfDarkScreensToo(t *testing.T) {
	for name, tc := range map[string]struct {
		colours map[string]string
		want    string
	}{
		"one that can be seen in the dark":    {map[string]string{"accent": "#ffd166"}, "--accent:#ffd166"},
		"one that cannot is made lighter":     {map[string]string{"accent": "#000080"}, "--accent:#7f7fbf"},
		"one for dark screens is as it is":    {map[string]string{"accent": "#000080", "accent_dark": "#abcdef"}, "--accent:#abcdef"},
		"what says nothing of it leaves ours": {map[string]string{"card": "#fffffe"}, "--accent:#8fd3c0"},
	} {
		_, dark, _ := strings.Cut(palettes(tc.colours), "@media")
		if !strings.Contains(dark, tc.want+";") {
			t.Errorf("%s: %s", name, dark)
		}
	}
}
