package oidc

import (
	"net/url"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-auth/postern/internal/session"
)

// googlish is the fake with the habits of a Google.
func googlish(f *fake, more string) *Provider { return f.learned(`,"type":"google"` + more) }

func TestOnlyPeopleOfTheHostedDomainsSignIn(t *testing.T) {
	for name, c := range map[string]struct {
		settings string
		hd       any
		reason   string
	}{
		"no domains are named":                   {``, nil, ""},
		"of the domain":                          {`,"hosted_domains":["example.com"]`, "example.com", ""},
		"of another of the domains, in capitals": {`,"hosted_domains":["example.com","Example.org"]`, "EXAMPLE.ORG", ""},
		"of another domain":                      {`,"hosted_domains":["example.com"]`, "evil.com", "hosted_domain_not_allowed"},
		"of a domain below it":                   {`,"hosted_domains":["example.com"]`, "a.example.com", "hosted_domain_not_allowed"},
		"with an address alone":                  {`,"hosted_domains":["example.com"]`, nil, "hosted_domain_not_allowed"},
		"of several":                             {`,"hosted_domains":["example.com"]`, []string{"example.com"}, "hosted_domain_not_allowed"},
		"of an empty one":                        {`,"hosted_domains":["example.com"]`, "", "hosted_domain_not_allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p := googlish(f, c.settings)
			raw := f.idToken(with(with(f.claims(), "hd", c.hd), "email", "a@example.com"))
			id, err := p.VerifyIDToken(f.env(), raw, "n-1", "at-1")
			if c.reason != "" && Reason(err) != c.reason || c.reason == "" && err != nil {
				t.Fatalf("got %+v, %v; want %q", id, err, c.reason)
			}
			if _, err := p.IdentifyAgain(f.env(), Tokens{ID: raw, Access: "at-1"}, Original{Issuer: issuer, Subject: "u-1", NonceHash: NonceHash("n-1")}); c.reason != "" && Reason(err) != c.reason {
				t.Errorf("at a renewal: %v", err)
			}
		})
	}
}

func TestGoogleIsAskedInItsOwnWay(t *testing.T) {
	for name, c := range map[string]struct {
		settings string
		step     session.Step
		want     map[string]string // "" for a parameter that is not sent
	}{
		"nothing special":                {``, session.Step{}, map[string]string{"hd": "", "access_type": "", "prompt": ""}},
		"one domain":                     {`,"hosted_domains":["example.com"]`, session.Step{}, map[string]string{"hd": "example.com"}},
		"several":                        {`,"hosted_domains":["example.com","example.org"]`, session.Step{}, map[string]string{"hd": "*"}},
		"offline":                        {`,"offline_access":true`, session.Step{}, map[string]string{"access_type": "offline", "prompt": "consent", "scope": "openid profile email"}},
		"offline, as someone else":       {`,"offline_access":true`, session.Step{Prompt: "select_account"}, map[string]string{"prompt": "select_account consent"}},
		"offline, with consent as it is": {`,"offline_access":true,"prompt":"consent"`, session.Step{}, map[string]string{"prompt": "consent"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			address, err := googlish(f, c.settings).AuthorizationURL(f.env(), Request{RedirectURI: "https://app.example.com/oauth2/callback", State: "s", Step: c.step})
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range c.want {
				if got := u.Query().Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestGooglesFormerNameIsNotItsIssuer(t *testing.T) {
	f := newFake(t)
	p := googlish(f, ``)
	raw := sign(t, jose.RS256, testKeys().rsa, "r1", nil, with(f.claims(), "iss", "id.example.com/realms/main"))
	if _, err := p.VerifyIDToken(f.env(), raw, "n-1", "at-1"); Reason(err) != "iss_differs" {
		t.Errorf("got %v", err)
	}
}
