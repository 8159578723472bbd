package httpmsg

import "testing"

func TestSameSpelling(t *testing.T) {
	for name, tc := range map[string]struct {
		field string
		want  bool
	}{
		"the name itself":            {"x-auth-request-user", true},
		"upper case":                 {"X-Auth-Request-USER", true},
		"underscores":                {"x_auth_request_user", true},
		"a mixture":                  {"X_Auth-request_User", true},
		"dots, as some gateways map": {"x.auth.request.user", true},
		"another name":               {"x-auth-request-uses", false},
		"a longer name":              {"x-auth-request-user2", false},
		"a shorter name":             {"x-auth-request-use", false},
		"marks left out":             {"xauthrequestuser", false},
		"a letter for a mark":        {"xaauth-request-user", false},
		"a digit for a mark":         {"x0auth-request-user", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := SameSpelling(tc.field, "x-auth-request-user"); got != tc.want {
				t.Errorf("%q: got %v", tc.field, got)
			}
			if got := SameSpelling("X-AUTH-REQUEST-USER", tc.field); got != tc.want {
				t.Errorf("%q, the other way round: got %v", tc.field, got)
			}
		})
	}
}

func TestNameSet(t *testing.T) {
	set := NewNameSet([]string{"X-Forwarded-User", "x-user", "x-team", ""}, []string{"x-auth-request-", ""})
	for name, want := range map[string]bool{
		"x-forwarded-user":      true,
		"X_Forwarded_User":      true,
		"x-user":                true,
		"X_TEAM":                true,
		"x-auth-request-":       true,
		"x-auth-request-user":   true,
		"X_Auth_Request_Groups": true,
		"":                      false,
		"x":                     false,
		"x-forwarded-for":       false,
		"x-auth-reques":         false,
		"ax-auth-request-user":  false,
		"x-user-agent":          false,
	} {
		if got := set.Has(name); got != want {
			t.Errorf("%q: got %v", name, got)
		}
	}
	if none := (&NameSet{}); none.Has("a") || none.Has("") {
		t.Error("the zero set has something")
	}
}

func TestASetLooksNamesUpWithoutMemory(t *testing.T) {
	set := NewNameSet([]string{"x-forwarded-user"}, []string{"x-auth-request-"})
	if n := testing.AllocsPerRun(100, func() { set.Has("X_Auth_Request_User"); set.Has("user-agent") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkNameSet(b *testing.B) {
	set := NewNameSet([]string{"x-forwarded-user", "x-forwarded-email", "x-forwarded-groups"}, []string{"x-auth-request-"})
	names := []string{"accept", "accept-encoding", "accept-language", "cookie", "user-agent", "sec-fetch-mode", "sec-fetch-site",
		"x-request-id", "x-forwarded-proto", "x-forwarded-for", "x-envoy-expected-rq-timeout-ms", "sec-ch-ua-platform"}
	b.ReportAllocs()
	for b.Loop() {
		for _, name := range names {
			if set.Has(name) {
				b.Fatal(name)
			}
		}
	}
}
