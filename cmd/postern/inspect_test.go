package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/session"
)

// theKey is a key as settings have it, and thatTime a time in tests of inspect.
const (
	theKey   = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	thatTime = "2026-11-22T08:00:00Z"
)

// secretsOfASession are what is never shown.
var secretsOfASession = []string{"access-hush-hush", "refresh-hush-hush", "id-hush-hush"}

// ringOf is a keyring of keys by their ids.
func ringOf(t *testing.T, ids ...string) *session.Keyring {
	t.Helper()
	secret, err := base64.StdEncoding.DecodeString(theKey)
	if err != nil {
		t.Fatal(err)
	}
	var keys []session.Key
	for i, id := range ids {
		keys = append(keys, session.Key{ID: id, Secret: append([]byte{byte(i)}, secret...)})
	}
	keys[0].Secret = secret
	ring, err := session.NewKeyring(keys)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func alice(t *testing.T) *session.Session {
	t.Helper()
	begun, err := time.Parse(time.RFC3339, thatTime)
	if err != nil {
		t.Fatal(err)
	}
	begun = begun.Add(-time.Hour)
	return &session.Session{
		ID: "random", Provider: "main", Issuer: "https://id.example.com", ClientID: "shop", Subject: "0815", Generation: 2,
		Begun: session.MomentOf(begun), Confirmed: session.MomentOf(begun.Add(30 * time.Minute)), Seen: session.MomentOf(begun.Add(50 * time.Minute)),
		ACR: "gold", AMR: []string{"pwd", "otp"}, AuthTime: begun.Unix() - 5,
		Claims: map[string]session.Claim{
			"user": {Values: []string{"alice"}}, "groups": {List: true, Values: []string{"staff", "admins"}}, "odd": {Values: []string{"a\x1b[31m\u202eb"}},
		},
		AccessToken: "access-hush-hush", AccessExpires: begun.Add(65 * time.Minute).Unix(), RefreshToken: "refresh-hush-hush", IDToken: "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"exp":1795335000}`)) + ".id-hush-hush",
	}
}

// cookieOf is a session as a Cookie field brings it.
func cookieOf(t *testing.T, ring *session.Keyring, s *session.Session, name string) string {
	t.Helper()
	text, _, err := ring.SealSession(s, 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	jar := session.NewJar(name)
	parts, err := jar.Split(text)
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for i, part := range parts {
		pairs = append(pairs, jar.Name(i)+"="+part)
	}
	return strings.Join(pairs, "; ")
}

// inspect runs the command on what was pasted.
func inspect(t *testing.T, pasted string, args ...string) (code int, out string) {
	t.Helper()
	t.Setenv("THE_KEY", theKey)
	file := filepath.Join(t.TempDir(), "cookie")
	if err := os.WriteFile(file, []byte(pasted), 0o600); err != nil {
		t.Fatal(err)
	}
	args = append([]string{"inspect", "--cookie", file, "--at", thatTime}, args...)
	code, text, errOut := run(t, "", args...)
	for _, secret := range append(secretsOfASession, theKey) {
		if strings.Contains(text+errOut, secret) {
			t.Errorf("%s is shown", secret)
		}
	}
	return code, text + errOut
}

const inspectSettings = `
providers:
- {name: main, issuer: "https://id.example.com", cluster: idp, client_id: shop, client_secret: {env: TEST_SECRET}}
hosts: [app.example.com]
session:
  keys: [{id: a, env: THE_KEY}]
  lifetime: 8h
  idle: 2h
`

func settingsFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "settings.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestInspectShowsASession(t *testing.T) {
	pasted := "Cookie: theme=dark; " + cookieOf(t, ringOf(t, "a"), alice(t), "__Host-postern") + "; other=1"
	code, out := inspect(t, pasted, "-c", settingsFile(t, inspectSettings))
	if code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	for _, want := range []string{
		"opens, and is good", "__Host-postern", "key                  a, the first key", "0815", "https://id.example.com", "alice", "2: staff, admins",
		"signed in            2026-11-22T07:00:00Z (1h ago)", "ends                 2026-11-22T09:50:00Z (in 1h 50m), by session.idle",
		"renewed              2 times", "pwd otp", "access token         opaque, 16 bytes, SHA-256", "until 2026-11-22T08:05:00Z (in 5m)", "ID token             JWT", "until 2026-11-22T",
		"of session.max_bytes",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.ContainsAny(out, "\x1b\u202e") {
		t.Errorf("a claim speaks to the terminal:\n%q", out)
	}
	golden(t, "inspect.txt", regexp.MustCompile(`\d+ bytes, \d+ %`).ReplaceAllString(out, "SOME bytes, SOME %")) // compressed
}

func TestInspectReadsWhatPeoplePaste(t *testing.T) {
	ring := ringOf(t, "a")
	long := alice(t)
	long.AccessToken = cookieText(t) // which does not compress
	cookies := cookieOf(t, ring, long, "__Host-postern")
	if !strings.Contains(cookies, "__Host-postern-1=") {
		t.Fatalf("one cookie: %d bytes", len(cookies))
	}
	var bare, set, jar, export []string
	for pair := range strings.SplitSeq(cookies, "; ") {
		name, value, _ := strings.Cut(pair, "=")
		bare = append(bare, value)
		set = append(set, "< set-cookie: "+pair+"; Path=/; Secure; HttpOnly; SameSite=Lax")
		jar = append(jar, "#HttpOnly_app.example.com\tFALSE\t/\tTRUE\t1795335000\t"+name+"\t"+value)
		export = append(export, `{"name":"`+name+`","value":"`+value+`","domain":".example.com","secure":true}`)
	}
	for name, pasted := range map[string]string{
		"a Cookie line":                cookies,
		"with its name":                "cookie: " + cookies + "\r\n",
		"a curl command":               "curl 'https://app.example.com/' \\\n  -H 'cookie: " + cookies + "' \\\n  --compressed",
		"Set-Cookie lines":             strings.Join(set, "\n"),
		"what curl -c wrote":           "# Netscape HTTP Cookie File\n\n" + strings.Join(jar, "\n") + "\n",
		"a browser's export":           "[" + strings.Join(export, ",") + "]",
		"the values alone, one a line": strings.Join(bare, "\n"),
		"cookies in another order":     strings.Join(reversed(strings.Split(cookies, "; ")), "; "),
	} {
		t.Run(name, func(t *testing.T) {
			code, out := inspect(t, pasted, "--key", "a=env:THE_KEY")
			if code != 0 || !strings.Contains(out, "0815") {
				t.Errorf("exit %d: %s", code, out)
			}
		})
	}
}

// cookieText is a text that is long and hardly compresses.
func cookieText(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for range 120 {
		b.WriteString(newKey())
	}
	return b.String()
}

func reversed(list []string) (back []string) {
	for _, s := range list {
		back = append([]string{s}, back...)
	}
	return back
}

func TestInspectSaysWhyASessionWouldNotBeTaken(t *testing.T) {
	ring := ringOf(t, "a")
	whole := cookieOf(t, ring, alice(t), "__Host-postern")
	changed := func(change func(*session.Session)) string {
		s := alice(t)
		change(s)
		return cookieOf(t, ring, s, "__Host-postern")
	}
	long := alice(t)
	long.AccessToken = cookieText(t)
	parts := strings.Split(cookieOf(t, ring, long, "__Host-postern"), "; ")
	binding, _, err := session.NewBinding(nil, long.Begun.Time(), bytes.NewReader(make([]byte, 64)))
	if err != nil {
		t.Fatal(err)
	}
	sealedBinding, err := ring.SealBinding(binding)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		pasted, settings string
		args             []string
		reason, want     string
	}{
		"sealed with another key":             {pasted: cookieOf(t, ringOf(t, "b"), alice(t), "__Host-postern"), reason: "other_key", want: `with the key \"b\", which is not among \"a\"`},
		"another key of the same id":          {pasted: cookieOf(t, ringOf(t, "b", "a"), alice(t), "__Host-postern"), args: []string{"--key", "b=env:OTHER_KEY"}, reason: "does_not_open"},
		"a letter changed":                    {pasted: strings.Replace(whole, "=1.eyJ", "=1.eyJ", 1)[:len(whole)-30] + "AAAA" + whole[len(whole)-26:], reason: "does_not_open"},
		"cut off":                             {pasted: whole[:len(whole)-9], reason: "cut_off", want: "copy it whole"},
		"a part missing":                      {pasted: parts[0], reason: "cookie_parts_missing", want: "__Host-postern-1"},
		"sent twice":                          {pasted: whole + "; " + whole, reason: "cookie_sent_twice"},
		"past its lifetime":                   {pasted: whole, args: []string{"--at", "2026-11-23T08:00:00Z"}, reason: "past_lifetime"},
		"idle for too long":                   {pasted: whole, args: []string{"--at", "2026-11-22T10:00:00Z"}, reason: "past_lifetime", want: "session.idle"},
		"past what the provider said":         {pasted: changed(func(s *session.Session) { s.Until = s.Begun + 60_000 }), reason: "past_lifetime", want: "what the provider said"},
		"from the future":                     {pasted: whole, args: []string{"--at", "2026-11-22T06:00:00Z"}, reason: "past_lifetime", want: "clocks"},
		"before not_before":                   {pasted: whole, settings: inspectSettings + `  not_before: "2026-11-22T07:30:00Z"` + "\n", reason: "before_not_before"},
		"of a provider that is not there":     {pasted: changed(func(s *session.Session) { s.Provider = "other" }), reason: "other_provider_or_client", want: "main"},
		"of another client":                   {pasted: changed(func(s *session.Session) { s.ClientID = "other" }), reason: "other_provider_or_client"},
		"of another issuer":                   {pasted: changed(func(s *session.Session) { s.Issuer = "https://other.example.com" }), reason: "other_provider_or_client"},
		"a cookie of another name":            {pasted: cookieOf(t, ring, alice(t), "__Host-gate"), reason: "other_cookie_name", want: "__Host-gate"},
		"a binding in the session's place":    {pasted: "__Host-postern=1." + sealedBinding, reason: "other_cookie_name", want: "binding"},
		"a ticket that is none":               {pasted: "__Host-postern=t." + strings.Repeat("A", 91), reason: "does_not_open"},
		"a session without its number":        {pasted: "x=" + strings.TrimPrefix(whole, "__Host-postern=1."), reason: "cookie_parts_missing"},
		"a key whose variable is not set":     {pasted: cookieOf(t, ringOf(t, "b"), alice(t), "__Host-postern"), settings: strings.Replace(inspectSettings, "{id: a, env: THE_KEY}", "{id: a, env: THE_KEY}, {id: b, env: NO_SUCH_KEY}", 1), reason: "other_key", want: "its variable is not set here"},
		"a binding that was good for an hour": {pasted: "__Host-postern-login=" + sealedBinding, reason: "past_lifetime", want: "it was good for 1h0m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTHER_KEY", newKey())
			if tc.settings == "" {
				tc.settings = inspectSettings
			}
			code, out := inspect(t, tc.pasted, append([]string{"-c", settingsFile(t, tc.settings), "-o", "json"}, tc.args...)...)
			var done struct {
				Good   bool
				Values []struct{ Problems []struct{ Reason string } }
			}
			if err := json.Unmarshal([]byte(out), &done); err != nil {
				t.Fatalf("exit %d, %v: %s", code, err, out)
			}
			if code != exitFailed || done.Good || len(done.Values) != 1 || len(done.Values[0].Problems) == 0 {
				t.Fatalf("exit %d: %s", code, out)
			}
			if got := done.Values[0].Problems[0].Reason; got != tc.reason || !strings.Contains(out, tc.want) {
				t.Errorf("%s, want %s with %q: %s", got, tc.reason, tc.want, out)
			}
		})
	}
}

func TestInspectOpensWhatElseIsSealed(t *testing.T) {
	ring := ringOf(t, "a")
	now := alice(t).Begun.Time().Add(time.Hour)
	random := func() *bytes.Reader { return bytes.NewReader(bytes.Repeat([]byte("0123456789abcdef"), 16)) }
	binding, _, err := session.NewBinding(nil, now, random())
	if err != nil {
		t.Fatal(err)
	}
	must := func(text string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	login := session.Login{Provider: "main", Return: "/orders?page=2", Step: session.Step{ACR: []string{"gold"}, MaxAge: 60}}
	state, _, err := ring.BeginLogin(binding, login, "shop", now, random())
	if err != nil {
		t.Fatal(err)
	}
	app, err := ring.BeginApplication(binding, session.Application{Origin: "https://app.example.com"}, "main", "shop", random())
	if err != nil {
		t.Fatal(err)
	}
	ticket := must(ring.SealTicket(session.Ticket{App: app, Return: "/x", Code: "code-hush", Made: now.Unix()}))
	for name, tc := range map[string]struct {
		pasted string
		want   []string
	}{
		"a binding":         {"__Host-postern-login=" + must(ring.SealBinding(binding)), []string{"login binding __Host-postern-login", "good until           2026-11-22T09:00:00Z (in 1h)"}},
		"a state":           {"https://app.example.com/oauth2/callback?code=code-hush&state=" + state, []string{"login state state of app.example.com", "leads to             /orders?page=2", "acr_values           gold", "max_age              1m0s"}},
		"a bare state":      {state, []string{"login state", "main"}},
		"a ticket":          {"Location: https://app.example.com/oauth2/ticket?ticket=" + ticket, []string{"ticket ticket of app.example.com", "code                 9 bytes", "for                  https://app.example.com"}},
		"a start":           {must(ring.SealStart(session.Start{Return: "/y", Made: now.Unix()})), []string{"start of a login", "/y"}},
		"a sign-out":        {must(ring.SealSignOut(session.SignOut{Return: "/z", Made: now.Unix()})), []string{"sign-out state", "/z"}},
		"a need":            {"__Host-postern-need=" + must(ring.SealNeed(session.Need{Renew: true, Made: now.Unix()})), []string{"need __Host-postern-need", "the session renewed"}},
		"a provider chosen": {"__Host-postern-provider=main", []string{"choice", "main"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, out := inspect(t, tc.pasted, "--key", "a=env:THE_KEY")
			if code != 0 {
				t.Fatalf("exit %d: %s", code, out)
			}
			for _, want := range tc.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in:\n%s", want, out)
				}
			}
			if strings.Contains(out, "code-hush") {
				t.Error("a code is shown")
			}
		})
	}
	t.Run("a ticket at another host", func(t *testing.T) {
		code, out := inspect(t, "https://evil.example.com/oauth2/ticket?ticket="+ticket, "--key", "a=env:THE_KEY")
		if code != exitFailed || !strings.Contains(out, "it is for app.example.com, and is in an address of evil.example.com") {
			t.Errorf("exit %d: %s", code, out)
		}
	})
	t.Run("a session in a store", func(t *testing.T) {
		stored, err := session.NewStored(random())
		if err != nil {
			t.Fatal(err)
		}
		parts, err := ring.StoredParts(stored.Of(3))
		if err != nil {
			t.Fatal(err)
		}
		code, out := inspect(t, "__Host-postern="+parts[0], "--key", "a=env:THE_KEY")
		if code != exitFailed || !strings.Contains(out, stored.Of(3).Name()) || !strings.Contains(out, "in Redis") {
			t.Errorf("exit %d: %s", code, out)
		}
	})
}

func TestInspectTakesNoCookieAndNoKeyFromItsCommandLine(t *testing.T) {
	cookie := cookieOf(t, ringOf(t, "a"), alice(t), "__Host-postern")
	for name, args := range map[string][]string{
		"a cookie":                 {"inspect", cookie},
		"a key":                    {"inspect", "--key", "a=" + theKey},
		"a key with a kind":        {"inspect", "--key", "a=base64:" + theKey},
		"no keys":                  {"inspect"},
		"a variable that is unset": {"inspect", "--key", "a=env:NO_SUCH_KEY"},
		"a file that is not there": {"inspect", "--key", "a=file:/nonexistent.key"},
		"a time that is none":      {"inspect", "--key", "a=env:THE_KEY", "--at", "noon"},
		"two from standard input":  {"inspect", "-c", "-", "--key", "a=env:THE_KEY"},
		"no such file":             {"inspect", "--key", "a=env:THE_KEY", "--cookie", "/nonexistent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("THE_KEY", theKey)
			code, out, errOut := run(t, "", args...)
			if code != exitUsage || errOut == "" {
				t.Errorf("exit %d: %s%s", code, out, errOut)
			}
			if strings.Contains(out+errOut, theKey) || strings.Contains(out+errOut, "eyJ") {
				t.Errorf("it is repeated: %s%s", out, errOut)
			}
		})
	}
	if code, out := inspect(t, "theme=dark; other=1", "--key", "a=env:THE_KEY"); code != exitFailed || !strings.Contains(out, "nothing of Postern's is among 2 values") {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestInspectKeepsQuietAboutWhatDoesNotOpen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(newKey()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out := inspect(t, cookieOf(t, ringOf(t, "a"), alice(t), "__Host-postern"), "--key", "a=file:"+file)
	if code != exitFailed || strings.Contains(out, "0815") || !strings.Contains(out, "another key of this id") {
		t.Errorf("exit %d: %s", code, out)
	}
}
