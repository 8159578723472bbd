package e2e

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

// TestNestingDoesNotEndTheModule sends cookies whose headers are nested deeply,
// each several times: Go's stack grows at the first, and the host's, which no
// recover watches, would be at its end at the next.
func TestNestingDoesNotEndTheModule(t *testing.T) {
	t.Parallel()
	ForEachEnvoy(t, func(t *testing.T, version string) {
		g := StartGate(t, OIDCProvider(t), EnvoySetup{Version: version})
		for _, depth := range []int{100, 1000, 9000} {
			header := `{"alg":"dir","enc":"A256GCM","kid":"k1","x":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `}`
			value := base64.RawURLEncoding.EncodeToString([]byte(header)) + "..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA"
			for range 4 {
				page, err := NewBrowser().Get(g.URL("/public/x"), http.Header{"Cookie": {nestedCookies(value)}})
				if err != nil {
					t.Fatal(err)
				}
				if page.Status != 200 {
					t.Fatalf("depth %d: an open page answers %d", depth, page.Status)
				}
			}
		}
	})
}

// nestedCookies cuts a value as the gate would.
func nestedCookies(value string) string {
	const size = 3800
	value = string(rune('0'+(len(value)+2+size-1)/size)) + "." + value
	var cookies []string
	for i := 0; value != ""; i++ {
		n := min(size, len(value))
		name := "postern"
		if i > 0 {
			name += "-" + string(rune('0'+i))
		}
		cookies = append(cookies, name+"="+value[:n])
		value = value[n:]
	}
	return strings.Join(cookies, "; ")
}
