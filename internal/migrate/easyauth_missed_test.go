package migrate

import (
	"testing"

	"github.com/postern-auth/postern/internal/policy"
)

// easyIngress is an ingress of one path that asks EasyAuth, or none where the
// question is "".
func easyIngress(host, path, question string) string {
	annotations := "{}"
	if question != "" {
		annotations = `{nginx.ingress.kubernetes.io/auth-url: "https://$host/easyauth/auth` + question + `"}`
	}
	return "kind: Ingress\nmetadata: {annotations: " + annotations + "}\nspec: {rules: [{host: '" + host + "', http: {paths: [{path: '" + path + "', pathType: Prefix}]}}]}\n---\n"
}

func TestAPathThatCannotBeWrittenIsNotOpenedByTheRestOfItsHost(t *testing.T) {
	const odd = "/a*b" // no path of a rule
	for name, c := range map[string]struct {
		ingresses string
		want      func(policy.Need) bool
	}{
		"another path that asks for less": {easyIngress("a.example.com", odd, "?role=Admin") + easyIngress("a.example.com", "/", "?"), lockedUp},
		"a name with a star":              {easyIngress("a.example.com", odd, "?role=Admin") + easyIngress("*.example.com", "/", "?"), lockedUp},
		"no host at all":                  {easyIngress("a.example.com", odd, "?role=Admin") + easyIngress("", "/", "?"), lockedUp},
		"what is open":                    {easyIngress("a.example.com", odd, "?") + easyIngress("a.example.com", "/x", "?") + easyIngress("a.example.com", "/", ""), func(n policy.Need) bool { return !n.Anyone && !n.Pass }},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := From("easyauth", Input{Files: []File{{"ingresses.yaml", []byte(c.ingresses)}}})
			if err != nil {
				t.Fatal(err)
			}
			need, err := rulesOf(t, r).Need(policy.Request{Host: "a.example.com", Path: "/a*b", Method: "GET"})
			if err != nil || !c.want(need) {
				t.Errorf("by the rule %q, error %v:\n%s", need.Rule, err, r.Settings.JSON())
			}
		})
	}
}

func lockedUp(n policy.Need) bool { return n.Rule == "1-closed" }
