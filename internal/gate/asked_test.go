package gate

import "testing"

// A proxy sets some of the fields that say what it asks about, and hands on what
// a client sent under the names of the others.
func TestAClientBehindATrustedPeerDoesNotSayWhatIsAskedAbout(t *testing.T) {
	w := newWorld(t, 1, parts{
		top: `,"auth_request":{"rules":true},"trusted_peers":{"sans":["proxy"]}`,
		rules: `[{"name":"public","match":{"paths":["/public/*"]},"allow":"anyone"},
			{"name":"hooks","match":{"paths":["/hooks"],"methods":["POST"]},"allow":"anyone"},
			{"name":"www","match":{"hosts":["other.example.com"],"paths":["/www/*"]},"allow":"anyone"},
			{"name":"rest","match":{"paths":["/*"]},"require":{"groups":["owners"]}}]`,
	})
	w.peer.names = []string{"proxy"}
	forwarded := []string{"x-forwarded-proto", "https", "x-forwarded-host", "app.example.com", "x-forwarded-uri", "/admin", "x-forwarded-method", "GET"}
	original := []string{"x-original-url", "https://app.example.com/admin", "x-original-method", "GET"}
	for name, test := range map[string]struct {
		set, sent []string
		status    int
	}{
		"as it is":                                  {forwarded, nil, 401},
		"another address for X-Forwarded-Uri":       {forwarded, []string{"x-original-url", "/public/a"}, 401},
		"an address to return to":                   {forwarded, []string{"x-auth-request-redirect", "/public/a"}, 401},
		"another address for X-Original-URL":        {original, []string{"x-forwarded-uri", "/public/a"}, 401},
		"an address to return to, by X-Original":    {original, []string{"x-auth-request-redirect", "/public/a"}, 401},
		"an address to return to, and nothing else": {nil, []string{"x-auth-request-redirect", "/public/a"}, 403},
		"another method":                            {[]string{"x-forwarded-uri", "/hooks", "x-forwarded-method", "DELETE"}, []string{"x-original-method", "POST"}, 401},
		"the method":                                {[]string{"x-forwarded-uri", "/hooks", "x-forwarded-method", "POST"}, nil, 202},
		"a host without its scheme":                 {[]string{"x-forwarded-uri", "/www/a", "x-forwarded-host", "app.example.com"}, nil, 401},
		"an address twice":                          {forwarded, []string{"x-forwarded-uri", "/public/a"}, 403},
		"a host twice":                              {[]string{"x-forwarded-proto", "https", "x-forwarded-host", "app.example.com", "x-forwarded-uri", "/www/a"}, []string{"x-forwarded-host", "other.example.com"}, 403},
		"two addresses alike":                       {[]string{"x-forwarded-uri", "/public/a"}, []string{"x-original-url", "/public/b"}, 202},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.subrequest(w.workers[0], "", "", append(append([]string{}, test.set...), test.sent...)...).answered(test.status, "")
		})
	}
}
