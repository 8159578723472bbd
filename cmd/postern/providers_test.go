package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// documented are the settings in a page about providers.
func documented(t *testing.T, page string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../docs/providers", page+".md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		if strings.HasPrefix(block, "providers:") {
			all = append(all, block)
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s has no settings", page)
	}
	return all
}

func TestWhatPeopleOfEachProviderMayIsExplained(t *testing.T) {
	for name, c := range map[string]struct{ page, path, claims, want string }{
		"somebody of an organisation at GitHub": {"github", "/x", `{sub: "583231", preferred_username: octocat, email: o@example.com, groups: [acme]}`, "pass: the application gets the request"},
		"somebody of no team at GitHub":         {"github", "/admin/x", `{groups: [acme]}`, "403"},
		"somebody of a team at GitHub":          {"github", "/admin/x", `{groups: [acme, acme/platform], preferred_username: octocat}`, "x-auth-request-user: octocat"},
		"nobody at GitHub":                      {"github", "/x", "", "sent to sign in at github."},
		"somebody at Bitbucket":                 {"oauth2", "/x", `{uuid: "{1}", username: jane}`, "pass"},
		"somebody else at Bitbucket":            {"oauth2", "/x", `{sub: "1", username: eve}`, "403"},
		"nobody at Bitbucket":                   {"oauth2", "/x", "", "sent to sign in at bitbucket."},
		"one of several, without a word":        {"README", "/x", `{preferred_username: alice}`, "pass"},
		"one of several, by its name":           {"README", "/internal/x", `{iss: google, sub: "1", email: a@partner.example}`, "provider: company  (has google)"},
		"one of several, by its issuer":         {"README", "/x", `{iss: "https://accounts.google.com", sub: "1", email: a@partner.example, email_verified: true}`, "pass"},
		"one of several, whom no rule lets in":  {"README", "/x", `{iss: google, sub: "1", email: a@else.example, email_verified: true}`, "none_met"},
		"a group at one of several":             {"README", "/x", `{iss: github, sub: "1", groups: [acme]}`, "pass"},
		"nobody, where there are several":       {"README", "/x", "", "by the page that lets them choose how"},
		"nobody, where one will do":             {"README", "/internal/x", "", "sent to sign in at company."},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"explain", "GET", "https://shop.example.com" + c.path}
			if c.claims != "" {
				args = append(args, "--claims", table(t, c.claims))
			}
			code, out, errOut := run(t, documented(t, c.page)[0], args...)
			if code != 0 || !strings.Contains(out, c.want) {
				t.Errorf("exit %d, without %q: %s%s", code, c.want, out, errOut)
			}
		})
	}
}

func TestAllDocumentedProvidersCanBeTriedOut(t *testing.T) {
	for _, page := range []string{"auth0", "entra", "github", "gitlab", "google", "keycloak", "oauth2", "oidc", "okta", "README"} {
		for i, settings := range documented(t, page) {
			code, out, errOut := run(t, settings, "explain", "GET", "https://shop.example.com/nowhere", "--claims", table(t, "{hd: example.com, enrich: {guilds: []}}"))
			if code != 0 || strings.Contains(out, "The login ends") {
				t.Errorf("%s, block %d: exit %d: %s%s", page, i+1, code, out, errOut)
			}
		}
	}
}

func TestATableSaysOfWhichProviderPeopleAre(t *testing.T) {
	const request = "- {request: GET https://shop.example.com/internal/x, claims: "
	entries := request + "{sub: a}, expect: pass}\n" +
		request + "{sub: a, iss: company}, expect: pass, application: {x-auth-request-user: a}, name: b}\n" +
		request + "{sub: \"1\", iss: google}, expect: 403}\n" +
		request + "{sub: \"1\", iss: github}, expect: 403, reason: provider_not_allowed}\n"
	code, out, errOut := run(t, documented(t, "README")[0], "check", "-t", table(t, entries))
	if code != 0 {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	for claims, want := range map[string]string{
		"{iss: gogle}":              "another issuer (iss)",
		"{iss: github, sub: alice}": "the number of an account",
	} {
		code, _, errOut := run(t, documented(t, "README")[0], "check", "-t", table(t, request+claims+", expect: pass}"))
		if code != exitFailed || !strings.Contains(errOut, want) {
			t.Errorf("%s: exit %d: %s", claims, code, errOut)
		}
	}
}

func TestASignInPageThatOffersOneProviderIsNoChoice(t *testing.T) {
	_, out, _ := run(t, goodSettings+"sign_in: {page: always}\n", "explain", "GET", "https://app.example.com/")
	if !strings.Contains(out, "sent to sign in, by the sign-in page.") {
		t.Error(out)
	}
}
