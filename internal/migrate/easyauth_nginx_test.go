package migrate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/policy"
)

// ingressOf is an ingress in YAML.
func ingressOf(host, path, kind, annotated string) string {
	if host != "" {
		host = "host: \"" + host + "\", "
	}
	return fmt.Sprintf("---\n{kind: Ingress, metadata: {annotations: {%s}}, spec: {rules: [{%shttp: {paths: [{path: %s, pathType: %s}]}}]}}\n", annotated, host, path, kind)
}

func TestRequestsNeedWhatNginxAskedOfThem(t *testing.T) {
	const (
		ours   = `nginx.ingress.kubernetes.io/auth-url: "https://$host/easyauth/auth"`
		admins = `nginx.ingress.kubernetes.io/auth-url: "https://$host/easyauth/auth?role=Admin"`
	)
	whole := ingressOf("a.example.com", "/", "Prefix", ours)
	for name, c := range map[string]struct{ ingresses, path, not string }{
		"a password":                                 {whole + ingressOf("a.example.com", "/x", "Prefix", `nginx.ingress.kubernetes.io/auth-type: basic`), "/x", "session"},
		"an address":                                 {whole + ingressOf("a.example.com", "/x", "Prefix", `nginx.ingress.kubernetes.io/whitelist-source-range: 10.0.0.0/8`), "/x", "session"},
		"a certificate":                              {whole + ingressOf("a.example.com", "/x", "Prefix", `nginx.ingress.kubernetes.io/auth-tls-secret: ns/ca`), "/x", "session"},
		"what a snippet says":                        {whole + ingressOf("a.example.com", "/x", "Prefix", `nginx.ingress.kubernetes.io/configuration-snippet: "deny all;"`), "/x", "session"},
		"an address beside a session":                {ingressOf("a.example.com", "/", "Prefix", ours+`, nginx.ingress.kubernetes.io/allowlist-source-range: 10.0.0.0/8`), "/x", "session"},
		"what another service says":                  {whole + ingressOf("a.example.com", "/x", "Prefix", `nginx.ingress.kubernetes.io/auth-url: "https://other.example.com/check"`), "/x", "session"},
		"a role of the host's own path":              {ingressOf("a.example.com", "/", "Prefix", admins) + ingressOf("", "/x", "Prefix", ours), "/x", "session"},
		"a role of the host without a star":          {ingressOf("a.example.com", "/", "Prefix", admins) + ingressOf("*.example.com", "/x", "Prefix", ours), "/x", "session"},
		"a role of the longer star":                  {whole + ingressOf("*.b.example.com", "/", "Prefix", admins) + ingressOf("*.example.com", "/x", "Prefix", ours), "b:/x", "session"},
		"a role of what begins with the path":        {whole + ingressOf("a.example.com", "/x", "ImplementationSpecific", admins), "/xy", "session"},
		"a session where all else is open":           {ingressOf("a.example.com", "/", "Prefix", "") + ingressOf("a.example.com", "/x", "ImplementationSpecific", ours), "/xy", "anyone"},
		"a role in other letters":                    {ingressOf("a.example.com", "/", "Prefix", ours) + ingressOf("a.example.com", "/x", "Prefix", admins) + ingressOf("a.example.com", "/y/(.*)", "Prefix", ours+`, nginx.ingress.kubernetes.io/rewrite-target: /$1`), "/X", "session"},
		"a session in other letters":                 {ingressOf("a.example.com", "/", "Prefix", "") + ingressOf("a.example.com", "/x", "Prefix", ours+`, nginx.ingress.kubernetes.io/use-regex: "true"`), "/X", "anyone"},
		"a session where a path is there twice":      {ingressOf("a.example.com", "/x", "Prefix", "") + ingressOf("a.example.com", "/x", "Prefix", ours), "/x", "anyone"},
		"a role, where the host is in an upper case": {ingressOf("A.example.com", "/", "Prefix", admins) + ingressOf("", "/x", "Prefix", ours), "/x", "session"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := From("easyauth", Input{Files: []File{{"i.yaml", []byte("azureAd: {clientId: c}\n" + c.ingresses)}}})
			if err != nil {
				t.Fatal(err)
			}
			host, path, other := strings.Cut(c.path, ":")
			if host += ".b.example.com"; !other {
				host, path = "a.example.com", c.path
			}
			need, err := rulesOf(t, r).Need(policy.Request{Host: host, Path: path, Method: "GET"})
			if err != nil {
				t.Fatal(err)
			}
			open := need.Anyone || need.Pass
			if open || c.not == "session" && !requires(r, need.Rule) {
				t.Errorf("open %t, and nothing is required\n%s", open, r.Settings.JSON())
			}
		})
	}
}

// requires reports whether a rule asks for more than a session.
func requires(r *Result, name string) bool {
	rules, _ := r.Settings.Get("rules").([]any)
	for _, one := range rules {
		if one := one.(*Map); one.Get("name") == name {
			return one.Get("require") != nil
		}
	}
	return false
}
