package page

import (
	"strings"
	"testing"
)

const ownPage = `<!doctype html>
<html lang="{{lang}}" dir='{{dir}}'>
<head><title>{{title}}</title><style>{{style}}
h1 > a{color:red}</style><STYLE>body{margin:0}</STYLE></head>
<body class="own {{lang}}" data-request="{{request_id}}"><!-- ours -->
<img src="{{logo}}" alt="{{site}}"><svg viewBox="0 0 1 1"><title>{{site}}</title><path d="M0 0"/></svg>
<h1>{{heading}}</h1>{{content}}<p>1 < 2, {braces} and <a href="https://www.example.com/?a=1&amp;b={{}}">help</a></p>
</body>
</html>`

func TestAPageOfOnesOwn(t *testing.T) {
	source := strings.ReplaceAll(ownPage, "{{}}", "")
	s := look(t, func(o *Options) {
		o.Title, o.Logo = `Tom & "Jerry"`, "https://example.com/a.svg"
		o.Templates = map[string]string{"page": strings.ReplaceAll(source, "\n", "\r\n"), "error": "<!doctype html><title>{{title}}</title><h1>{{heading}}</h1><p>{{lead}} {{advice}} {{reason}}</p>{{actions}}"}
	})
	body, header := s.SignIn("de", SignInPage{Choices: []Choice{{Name: "<b>", URL: "javascript:1", Color: "#123456"}}})
	for _, want := range []string{
		`<html lang="de" dir='ltr'>`, `<title>Anmelden · Tom &amp; &#34;Jerry&#34;</title>`, `alt="Tom &amp; &#34;Jerry&#34;"`, `src="https://example.com/a.svg"`,
		`<h1>Anmelden</h1>`, `<bdi>&lt;b&gt;</bdi>`, `href="/"`, `1 < 2, {braces}`, ".button.c0{",
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("no %q in %s", want, body)
		}
	}
	checkPolicy(t, "sign-in", rendered{body, header})
	body, header = s.Error("", ErrorPage{Status: 400, Reason: `"><script>`, Retry: "/"})
	if got := string(body); !strings.HasPrefix(got, "<!doctype html><title>This request is not valid · Tom") || !strings.Contains(got, "&#34;&gt;&lt;script&gt;") || !strings.Contains(got, `href="/"`) {
		t.Errorf("got %s", got)
	}
	if got, _ := header.Only("content-security-policy"); !strings.Contains(got, "style-src 'none';") {
		t.Errorf("got %q", got)
	}
}

func TestTemplatesThatAreRefused(t *testing.T) {
	for name, tc := range map[string]struct{ html, want string }{
		"a script":                              {"<script>1</script>", "line 2: <script>"},
		"a script in capitals":                  {"<SCRIPT\n>1</script>", "<script>"},
		"a frame":                               {"<iframe src=x></iframe>", "<iframe>"},
		"another base":                          {"<base href=x>", "<base>"},
		"a refresh":                             {`<meta http-equiv="refresh" content="0;url=//x">`, "http-equiv"},
		"an event handler":                      {`<p onclick="x()">`, "onclick would never run"},
		"an event handler in capitals":          {`<p ONCLICK=x>`, "onclick"},
		"an event handler after a slash":        {`<img/onerror=x>`, "onerror"},
		"a style attribute":                     {`<p style="color:red">`, "style attributes"},
		"a placeholder of no name":              {"{{titles}}", "did you mean {{title}}?"},
		"a placeholder of nothing alike":        {"{{basket}}", "there are actions, advice"},
		"a placeholder without an end":          {"{{title", "no }}"},
		"a placeholder in a comment":            {"<!-- {{title}} -->", "a comment"},
		"a comment without an end":              {"<!-- {{title}}", "no -->"},
		"one in a style":                        {"<style>p{color:{{title}}}</style>", "{{title}} may not stand in <style>"},
		"elements in a style":                   {"<style>{{content}}</style>", "{{content}} may not stand in <style>"},
		"our styles outside a style":            {"<p>{{style}}</p>", "{{style}} may not stand in an element"},
		"a style in a drawing":                  {"<svg><style>p{}</style></svg>", "<svg>"},
		"elements in the title of a drawing":    {"<svg><title><a href={{title}}></a></title></svg>", "nothing but text in <svg>"},
		"a style after a drawing in a drawing":  {"<svg><svg></svg><style>p{}</style></svg>", "<svg>"},
		"elements in a title":                   {"<title>{{content}}</title>", "{{content}} may not stand in <title>"},
		"elements in an attribute":              {`<p title="{{content}}">`, "{{content}} may not stand in an attribute"},
		"no quotes":                             {"<p title={{title}}>", "quotes"},
		"no quotes, after something":            {"<p title=x{{title}}>", "quotes"},
		"the name of an attribute":              {"<p {{title}}>", "name of an attribute"},
		"a part of a name":                      {`<p a{{title}}="x">`, "name of an attribute"},
		"a tag's name":                          {`<p{{title}}>`, "the name of an element"},
		"a text as an address":                  {`<a href="{{title}}">`, "{{title}} may not stand in href"},
		"a part of an address":                  {`<img src="https://x/{{logo}}">`, "the whole src"},
		"a part of an address, with more":       {`<img src="{{logo}}?x">`, "the whole src"},
		"an address where none is":              {`<p title="{{logo}}">`, "{{logo}} may not stand in an attribute"},
		"an attribute that does something":      {`<form action="{{title}}">`, "attribute action"},
		"what a meta says":                      {`<meta name="x" content="{{title}}">`, "attribute content"},
		"an attribute without an end":           {`<p title="{{title}}`, "has no end"},
		"a tag without an end":                  {`<p title="x" `, "has no end"},
		"a style without an end":                {`<style>p{}`, "has no end"},
		"an end tag with a placeholder":         {`</p {{title}}>`, "an end tag"},
		"an end tag that hides something":       {`</p a=">{{content}}">`, "an end tag"},
		"what only XML knows":                   {`<svg><![CDATA[{{title}}]]></svg>`, "no HTML"},
		"an instruction":                        {`<?x {{title}}?>`, "no HTML"},
		"a character that HTML forbids":         {"a\x00b", "forbids"},
		"a document within":                     {`<p srcdoc="x">`, "srcdoc"},
		"a quote that only seems to end it":     {`<p title='"' id="'{{content}}">`, "{{content}} may not stand in an attribute"},
		"a comment that only seems to begin":    {`<p title="<!--">{{style}}`, "{{style}} may not stand in an element"},
		"a style that only seems to end":        {`<style></styl{{content}}</style>`, "{{content}} may not stand in <style>"},
		"a style sheet from elsewhere":          {"<p>\n<link href=\"https://x/a.css\" rel='preload StyleSheet'>", "line 3: a style sheet"},
		"a style sheet by a bare name":          {"<link rel=stylesheet href=/a.css>", "a style sheet"},
		"a style sheet that loads another":      {"<style>{{style}}\n@IMPORT 'a.css';\n</style>", "line 3: @import"},
		"a font":                                {"<style>@font-face{src:url(a.woff2)}</style>", "@font-face"},
		"a picture by http":                     {`<img src=" HTTP://x/a.png">`, "a picture by http:"},
		"a picture by http without quotes":      {`<img src=http://x/a.png>`, "a picture by http:"},
		"a picture of a larger size by http":    {`<img src="/a.png" srcset="https://x/a.png, http://x/b.png 2x">`, "a picture by http:"},
		"a picture by http in a drawing":        {`<svg><image href="http://x/a.png"/></svg>`, "a picture by http:"},
		"a picture by http in a style":          {`<style>body{background:url("http://x/a.png")}</style>`, "a picture by http:"},
		"a link that is a script":               {"\n<a\n href='javascript:history.back()'>", "line 4: a javascript:"},
		"a form that is a script":               {`<form action="JavaScript:1">`, "a javascript:"},
		"what is read otherwise without script": {`<noscript><p title="</noscript>{{content}}">`, "<noscript>"},
	} {
		t.Run(name, func(t *testing.T) {
			_, message := readTemplate("<!doctype html>\n" + tc.html)
			if !strings.Contains(message, tc.want) {
				t.Errorf("got %q", message)
			}
		})
	}
}

func TestTemplatesThatOurPolicyLetsBe(t *testing.T) {
	for name, html := range map[string]string{
		"a link by http":             `<a href="http://www.example.com/">`,
		"an icon":                    `<link rel="icon" href="https://www.example.com/icon.png">`,
		"a picture by https":         `<img src="https://x/a.png" srcset="https://x/b.png 2x">`,
		"a picture by https in CSS":  `<style>body{background:url(https://x/a.png)}</style>`,
		"words about what is not so": `<p title="rel=stylesheet">javascript: and @import http://x</p>`,
	} {
		if _, message := readTemplate("<!doctype html>\n" + html); message != "" {
			t.Errorf("%s: %s", name, message)
		}
	}
}

func TestHostileTextStaysTextInTemplates(t *testing.T) {
	const source = `<!doctype html><html lang="{{lang}}"><head><title>{{title}}</title><style>{{style}}</style></head><body><main class="{{reason}}">
<img src="{{logo}}" alt='{{site}}'><h1>{{heading}}</h1><p class='{{request_id}}'>{{lead}}{{reason}}{{request_id}}</p>{{content}}{{details}}</main></body></html>`
	for name, hostile := range hostile {
		t.Run(name, func(t *testing.T) {
			s, err := New(Options{Title: hostile, Logo: hostile, Templates: map[string]string{"page": source}})
			if err != nil {
				t.Fatal(err)
			}
			body, header := s.Error("", ErrorPage{Status: 400, Reason: hostile, RequestID: hostile, Retry: hostile, Other: hostile})
			got := strings.ReplaceAll(string(body), `src=""`, `src="data:image/"`) // no logo is none
			checkTemplate(t, name, rendered{[]byte(got), header})
		})
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add(ownPage)
	for _, s := range hostile {
		f.Add("<!doctype html>" + s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if read, message := readTemplate(source); message == "" {
			read.fill([]slot{text("title", `"'<>`), part("content", "<p>")})
		}
	})
}
