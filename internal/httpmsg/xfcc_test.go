package httpmsg

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestXFCCIsReadAsEnvoyWritesIt(t *testing.T) {
	for name, c := range map[string]struct {
		value string
		want  []ClientCert
	}{
		"one hop": {
			`By=spiffe://mesh/front;Hash=468ed33be74eee6556d90c0149c1309e;Subject="";URI=spiffe://mesh/client`,
			[]ClientCert{{By: "spiffe://mesh/front", Hash: "468ed33be74eee6556d90c0149c1309e", URI: []string{"spiffe://mesh/client"}}},
		},
		"two hops": {
			`By=a;Hash=01,By=b;Hash=02;DNS=one.example;DNS=two.example`,
			[]ClientCert{{By: "a", Hash: "01"}, {By: "b", Hash: "02", DNS: []string{"one.example", "two.example"}}},
		},
		"two fields that were joined": {`Hash=01, Hash=02`, []ClientCert{{Hash: "01"}, {Hash: "02"}}},
		"a subject with what divides": {
			`Subject="CN=a,O=b;c=d";Hash=01`, []ClientCert{{Subject: "CN=a,O=b;c=d", Hash: "01"}},
		},
		"a subject with escapes keeps them": {
			`Subject="CN=a\,O=b,O=\"c\"\\";Hash=01`, []ClientCert{{Subject: `CN=a\,O=b,O=\"c\"\\`, Hash: "01"}},
		},
		"whole certificates are passed over": {
			`Hash=01;Cert="-----BEGIN%20CERTIFICATE-----%0AMIIC%0A";Chain="-----BEGIN"`, []ClientCert{{Hash: "01"}},
		},
		"a key that is not known":              {`Hash=01;New=x`, []ClientCert{{Hash: "01"}}},
		"keys in any case":                     {`hASH=01;uri=x;dNs=y`, []ClientCert{{Hash: "01", URI: []string{"x"}, DNS: []string{"y"}}}},
		"a hop of several names":               {`By=a;By=b;Hash=01`, []ClientCert{{By: "a", Hash: "01"}}},
		"a name with an equals sign":           {`URI=a=b;Hash=01`, []ClientCert{{URI: []string{"a=b"}, Hash: "01"}}},
		"a client without names":               {`Hash=01;URI=`, []ClientCert{{Hash: "01"}}},
		"quotes around what needs them not":    {`Hash="01"`, []ClientCert{{Hash: "01"}}},
		"a subject that ends with backslashes": {`Subject="a\\";Hash=01`, []ClientCert{{Subject: `a\\`, Hash: "01"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseXFCC(c.value)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestXFCCThatIsMalformedIsRefused(t *testing.T) {
	for name, value := range map[string]string{
		"nothing":                        "",
		"no pair":                        "hello",
		"no key":                         "=01",
		"a key that is none":             `Ha sh=01`,
		"an empty hop":                   "Hash=01,",
		"an empty hop first":             ",Hash=01",
		"an empty pair":                  "Hash=01;;URI=x",
		"an empty pair last":             "Hash=01;",
		"a pair that is none":            "Hash=01;hello",
		"a quoted value without its end": `Hash="01`,
		"an escaped end":                 `Subject="a\";Hash=01`,
		"a backslash last":               `Subject="a\`,
		"something after a quoted value": `Subject="a"b;Hash=01`,
		"a quote within a value":         `URI=a"b;Hash=01`,
		"two hashes, as a name with a semicolon brings": `Hash=01;URI=spiffe://x;Hash=02`,
		"two hashes, one empty":                         `Hash=;Hash=02`,
		"two subjects":                                  `Subject="a";Subject="b"`,
		"too many hops":                                 strings.Repeat("Hash=01,", maxXFCCHops) + "Hash=01",
		"too many pairs":                                strings.Repeat("DNS=a;", maxXFCCPairs) + "Hash=01",
		"too much":                                      `Cert="` + strings.Repeat("a", maxXFCC) + `"`,
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := ParseXFCC(value); err == nil || got != nil {
				t.Errorf("read as %+v, %v", got, err)
			}
		})
	}
}

// FuzzParseXFCC reads anything: what was read is bounded, and reads the same
// when it is written again.
func FuzzParseXFCC(f *testing.F) {
	f.Add(`By=spiffe://mesh/front;Hash=468e;Subject="CN=a\,b,O=\"c\"";URI=spiffe://mesh/client,By=b;Hash=02;DNS=x;DNS=y`)
	f.Add(`Subject="a\\";Hash="0,1"`)
	f.Fuzz(func(t *testing.T, value string) {
		certs, err := ParseXFCC(value)
		if err != nil {
			if certs != nil {
				t.Errorf("%+v with %v", certs, err)
			}
			return
		}
		if len(certs) == 0 || len(certs) > maxXFCCHops {
			t.Errorf("%d hops", len(certs))
		}
		again, err := ParseXFCC(writeXFCC(certs))
		if diff := cmp.Diff(certs, again); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}

// writeXFCC writes all values in quotes, which holds whatever they hold: each
// was read from quotes, or had none in it. A backslash only counts within
// quotes.
func writeXFCC(certs []ClientCert) string {
	var hops []string
	for _, c := range certs {
		hop := "By=" + quoteXFCC(c.By) + ";Hash=" + quoteXFCC(c.Hash) + ";Subject=" + quoteXFCC(c.Subject)
		for _, name := range c.URI {
			hop += ";URI=" + quoteXFCC(name)
		}
		for _, name := range c.DNS {
			hop += ";DNS=" + quoteXFCC(name)
		}
		hops = append(hops, hop)
	}
	return strings.Join(hops, ",")
}

func quoteXFCC(value string) string {
	if strings.ContainsAny(value, `,;"`) {
		return `"` + value + `"`
	}
	return value
}
