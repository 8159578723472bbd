package config

import "testing"

func TestLooksThatAreRefused(t *testing.T) {
	signIn := func(s string) string { return top(t, `"sign_in": {`+s+`}`) }
	pages := func(s string) string { return top(t, `"pages": {`+s+`}`) }
	tests := []struct {
		name, settings string
		want           []string
	}{
		{"a page that is shown sometimes", signIn(`"page": "sometimes"`), []string{
			`sign_in.page: "sometimes" is not one of auto, always, never`}},
		{"a logo in the clear", signIn(`"logo": "http://www.example.com/logo.svg"`), []string{
			`sign_in.logo: must be an https address, or "data:image/" with at most 8192 bytes`}},
		{"what browsers forget sooner", signIn(`"remember": "9601h"`), []string{
			`sign_in.remember: 9601h is more than 9600h`}},
		{"a language that there is not", pages(`"language": "tlh"`), []string{
			`pages.language: is none of auto, en, de, fr, es, zh, ja`}},
		{"colours of no name, and of none", pages(`"colors": {"acent": "#123456", "card": "white", "text": "#12345"}`), []string{
			`pages.colors.acent: is not known; did you mean accent?`,
			`pages.colors.card: must be # and six hexadecimal digits, such as #1d5b4f`,
			`pages.colors.text: must be # and six hexadecimal digits, such as #1d5b4f`}},
		{"text that nobody could read", pages(`"colors": {"card_dark": "#dddddd"}`), []string{
			`pages.colors: text_dark cannot be read on card_dark: its contrast is below 4.5 to 1 (what is not given is ours)`}},
		{"texts of no name, without their placeholders, and in no language", pages(`"texts": {"en": {"sign_im": "x", "continue_with": "Go", "error.404": "Gone"}, "ge": {"sign_in": "x"}}`), []string{
			`pages.texts.en.continue_with: must have the placeholders of our own text, once each: {name}`,
			`pages.texts.en["error.404"]: must be what happened, why, and what to do about it, of which the last may be missing, with " | " between them`,
			`pages.texts.en.sign_im: is not the name of a text; did you mean sign_in?`,
			`pages.texts.ge: is not known; did you mean de?`}},
		{"templates of no page, and with a script", pages(`"templates": {"eror": "x", "page": "<!doctype html>\n{{content}}<script>1</script>"}`), []string{
			`pages.templates.eror: is not known; did you mean error?`,
			`pages.templates.page: line 2: <script> is not for pages of ours: they run no script and load nothing`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { refused(t, test.settings, test.want...) })
	}
}

func TestTheLookIsWhatTheSettingsSay(t *testing.T) {
	c := mustParse(t, top(t, `"sign_in": {"title": "Shop", "text": "Welcome."}, "pages": {"language": "ja", "colors": {"accent": "#8a1538"},
		"texts": {"ja": {"sign_in": "x"}}, "templates": {"page": "<!doctype html>{{content}}"}}`))
	look := c.Look()
	if look.Title != "Shop" || look.Text != "Welcome." || look.Language != "ja" || look.Colors["accent"] != "#8a1538" ||
		look.Texts["ja"]["sign_in"] != "x" || look.Templates["page"] != "<!doctype html>{{content}}" {
		t.Errorf("got %+v", look)
	}
}
