package page

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryLanguageSaysTheSameThings(t *testing.T) {
	marks := map[string]string{"en": ".", "de": ".", "fr": ".", "es": ".", "zh": "。", "ja": "。"}
	for _, l := range languages(nil) {
		if lines := strings.Count(l.file, "\n"); lines != len(l.terms()) {
			t.Errorf("%s: %d lines, but %d texts", l.tag, lines, len(l.terms()))
		}
		seen := map[string]bool{}
		for i, text := range l.terms() {
			if ours := english.terms()[i]; ours.key != text.key {
				t.Fatalf("%s: %s stands where English has %s", l.tag, text.key, ours.key)
			} else if diff := cmp.Diff(placeholders(ours.text), placeholders(text.text)); diff != "" {
				t.Errorf("%s: %s: placeholders:\n%s", l.tag, text.key, diff)
			} else if strings.Count(ours.text, parts) != strings.Count(text.text, parts) {
				t.Errorf("%s: %s: has other parts", l.tag, text.key)
			}
			if flaw := textFlaw(english.terms(), text.key, text.text); flaw != "" || seen[text.key] {
				t.Errorf("%s: %s: %s", l.tag, text.key, flaw)
			}
			seen[text.key] = true
			if strings.HasPrefix(text.key, "error.") {
				checkExplanation(t, l.tag+": "+text.key, explained(text.text), marks[l.tag])
			}
		}
	}
}

func checkExplanation(t *testing.T, name string, e explanation, mark string) {
	t.Helper()
	if e.title == "" || strings.HasSuffix(e.title, mark) || !strings.HasSuffix(e.detail, mark) || e.advice != "" && !strings.HasSuffix(e.advice, mark) {
		t.Errorf("%s: %+v", name, e)
	}
}

func TestReasonsThatAreAlikeShareTheWordsOfTheFirst(t *testing.T) {
	for _, list := range alike {
		for i, name := range list {
			if _, ok := english.terms().of("error." + name); ok != (i == 0) {
				t.Errorf("%s: words of its own: %t, at place %d of %v", name, ok, i, list)
			}
		}
	}
}

// No text that is kept is said by nobody.
func TestEveryTextIsSaidSomewhere(t *testing.T) {
	var sources strings.Builder
	for _, name := range goFiles(t) {
		sources.WriteString(readFile(t, name))
	}
	for _, text := range english.terms() {
		if strings.Contains(text.key, ".") {
			continue // by what gates and providers call things
		}
		if !strings.Contains(sources.String(), `"`+text.key+`"`) {
			t.Errorf("%s is said nowhere", text.key)
		}
	}
	for _, m := range regexp.MustCompile(`(?:say|tell|number)\("([a-z_.]+)"`).FindAllStringSubmatch(sources.String(), -1) {
		if _, ok := english.terms().of(m[1]); !ok {
			t.Errorf("%s has no text", m[1])
		}
	}
}

func TestTheLanguageIsTheOneThatTheBrowserPrefers(t *testing.T) {
	s := look(t, nil)
	for name, tc := range map[string]struct{ accept, want string }{
		"nothing is said":               {"", "en"},
		"one language":                  {"de", "de"},
		"a region":                      {"fr-CA", "fr"},
		"capitals":                      {"ES-419", "es"},
		"a script":                      {"zh-Hant-TW", "zh"},
		"the first of several":          {"ja, de, en", "ja"},
		"the one of the highest weight": {"de;q=0.5, ja;q=0.8, fr;q=0.7", "ja"},
		"a weight that is left out is the highest":         {"de;q=0.999, fr", "fr"},
		"spaces and tabs, and Q in capitals":               {"de \t; Q=0.3 ,\tes ;q=0.4", "es"},
		"a language that there is not":                     {"tlh", "en"},
		"what there is after what there is not":            {"tlh, it;q=0.9, de;q=0.1", "de"},
		"a language whose name begins alike":               {"den, frs, deu", "en"},
		"one that is refused":                              {"de;q=0, fr;q=0.1", "fr"},
		"anything":                                         {"*", "en"},
		"anything but English":                             {"en;q=0, *", "de"},
		"anything below a language":                        {"*;q=0.1, ja;q=0.2", "ja"},
		"anything above a language":                        {"*;q=0.9, ja;q=0.2", "en"},
		"all refused":                                      {"*;q=0", "en"},
		"a weight above the highest":                       {"de;q=1.5, fr;q=0.2", "fr"},
		"a weight of four decimals":                        {"de;q=0.9999, fr;q=0.2", "fr"},
		"a weight that is no number":                       {"de;q=x, fr;q=0.2", "fr"},
		"no weight after the sign":                         {"de;q=, fr;q=0.2", "fr"},
		"another parameter":                                {"de;level=1, fr;q=0.2", "fr"},
		"a negative weight":                                {"de;q=-1, fr;q=0.2", "fr"},
		"empty entries":                                    {",,,de", "de"},
		"an eleventh entry is not looked at":               {strings.Repeat("tlh,", 10) + "de", "en"},
		"a tenth entry is":                                 {strings.Repeat("tlh,", 9) + "de", "de"},
		"what comes after a thousand bytes is not":         {strings.Repeat("x", 1030) + ",de", "en"},
		"bytes that are not UTF-8, and control characters": {"\xff\x00, \r\n, ja", "ja"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := s.language(tc.accept).tag; got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestTheSettingsMaySayTheLanguage(t *testing.T) {
	s := look(t, func(o *Options) { o.Language = "es" })
	body, header := s.SignedOut("ja", SignedOutPage{})
	if got := words(t, body); !strings.Contains(got, "Ha cerrado sesión") {
		t.Errorf("got %q", got)
	}
	if got, _ := header.Only("content-language"); got != "es" {
		t.Errorf("got %q", got)
	}
}

func TestWordsOfOnesOwn(t *testing.T) {
	s := look(t, func(o *Options) {
		o.Texts = map[string]map[string]string{"de": {"sign_in": "Einloggen", "error.404": "Weg | Hier war <b>nichts</b>."}, "en": {"continue_with": "{name}, please"}}
	})
	for name, tc := range map[string]struct {
		body []byte
		want string
	}{
		"a text":               {first(s.SignIn("de", SignInPage{})), "Einloggen"},
		"an explanation":       {first(s.Error("de", ErrorPage{Status: 404})), "Weg Hier war <b>nichts</b>."},
		"another placeholder":  {first(s.SignIn("", SignInPage{Choices: choices("GitHub")})), "GitHub, please"},
		"what is not reworded": {first(s.SignIn("fr", SignInPage{})), "Se connecter"},
	} {
		if got := words(t, tc.body); !strings.Contains(got, tc.want) {
			t.Errorf("%s: got %q", name, got)
		}
	}
	problem, _ := Problem(ProblemDetails{Status: 404})
	if !strings.Contains(string(problem), "There is no such page") {
		t.Errorf("programs are told %s", problem)
	}
}

func first(body []byte, _ any) []byte { return body }

// A language that is written from right to left needs no more than its file.
func TestALanguageFromRightToLeft(t *testing.T) {
	s := look(t, nil)
	s.all = append(s.all, &language{tag: "ar", dir: "rtl", file: strings.ReplaceAll(enTexts, ": Sign", ": تسجيل")})
	body, _ := s.SignIn("ar-EG", SignInPage{Choices: choices("GitHub")})
	if !strings.Contains(string(body), `<html lang="ar" dir="rtl">`) {
		t.Errorf("got %.100s", body)
	}
	if sides := regexp.MustCompile(`[-:{; ](left|right)[-:;} ]`).FindAllString(style, -1); len(sides) > 0 {
		t.Errorf("the styles name sides: %q", sides)
	}
}

func TestDurations(t *testing.T) {
	for _, tc := range []struct {
		tag     string
		seconds int64
		want    string
	}{
		{"en", 60, "1 minute"}, {"en", 7200, "2 hours"}, {"de", 172800, "2 Tagen"}, {"fr", 1, "1 seconde"}, {"ja", 600, "10 分"}, {"zh", 5400, "90 分钟"},
	} {
		all := languages(nil)
		l := all[slices.Index(Languages(), tc.tag)]
		if got := l.duration(tc.seconds); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.tag, got, tc.want)
		}
	}
}
