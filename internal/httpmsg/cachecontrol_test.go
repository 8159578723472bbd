package httpmsg

import (
	"strings"
	"testing"
)

func TestAnAnswerForOnePersonIsNotForSharedCaches(t *testing.T) {
	for name, test := range map[string]struct {
		values []string
		want   string
	}{
		"that says nothing":                     {nil, "private"},
		"that says nothing in a field":          {[]string{" , ,"}, "private"},
		"that is public":                        {[]string{"public, max-age=60"}, "private, max-age=60"},
		"that is Public":                        {[]string{"Public"}, "private"},
		"with an age for shared caches":         {[]string{"s-maxage=600, max-age=5"}, "private, max-age=5"},
		"with an age in quotes":                 {[]string{`S-MaxAge="600" , immutable`}, "private, immutable"},
		"that is private already":               {[]string{"max-age=0, private"}, "private, max-age=0"},
		"that is private in one field only":     {[]string{`private="x-secret, x-other", max-age=5`}, "private, max-age=5"},
		"that must not be stored":               {[]string{"no-store"}, "private, no-store"},
		"that must not be stored, in two words": {[]string{"public, no-store", "no-cache"}, "private, no-store, no-cache"},
		"with a comma in quotes":                {[]string{`no-cache="a, public", must-revalidate`}, `private, no-cache="a, public", must-revalidate`},
		"with a quote that is quoted":           {[]string{`ext="a\", public", max-age=1`}, `private, ext="a\", public", max-age=1`},
		"with a quote that does not end":        {[]string{`ext="a, private`, "max-age=60"}, "private, no-store"},
		"with a backslash for the last quote":   {[]string{`ext="a\"`}, "private, no-store"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := PrivateCacheControl(test.values); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestFieldsForSharedCachesAreKnownByName(t *testing.T) {
	for name, want := range map[string]bool{
		"surrogate-control": true, "cdn-cache-control": true, "cloudflare-cdn-cache-control": true,
		"edge-control": true, "x-accel-expires": true,
		"cache-control": false, "expires": false, "pragma": false, "x-cdn-cache-control-version": false,
	} {
		if got := ForSharedCaches(name); got != want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func FuzzPrivateCacheControl(f *testing.F) {
	f.Add(`public, s-maxage=1, private="a`)
	f.Add(`a="\`)
	f.Fuzz(func(t *testing.T, value string) {
		got := PrivateCacheControl([]string{value})
		if got != "private" && !strings.HasPrefix(got, "private, ") {
			t.Fatalf("%q becomes %q", value, got)
		}
		if again := PrivateCacheControl([]string{got}); again != got {
			t.Fatalf("%q becomes %q and then %q", value, got, again)
		}
	})
}
