package gate

import "slices"

// What FuzzRules picks from. New entries go to the end of a list: the corpus
// names them by their numbers.

var fuzzPaths = []string{
	"/*", "/public/*", "/public/admin/*", "/admin/*", "/public", "/admin", "/public/admin", "/",
	"/public/*/admin", "/*/admin", "/public/*.css", "/teams/*/settings/*", "/a*b/*", "/public/@me/*",
	"/public/a;b", "/public/a;b/*", "/*.css", "/public/admin.php",
}

var fuzzRegexes = []string{
	"/public/[a-z]+", "/public/.*", "/(public|admin)/[0-9]{2,3}", "/[^/]+/admin(/.*)?", "/public/[^a]*",
	`/.*\.css`, `/public/\d+/\w*`, "/public(/[a-z]+)+", "/admin.*", "/.*",
}

var fuzzHosts = []string{
	"app.example.com", "other.example.com", "APP.Example.com", "app.example.com:443", "app.example.com.",
	"app.example.com:8443", "evil.example", "xapp.example.com", "example.com",
}

var fuzzFields = [][2]string{
	{"x-tenant", "red"}, {"x-tenant", "blue"}, {"x_tenant", "red"},
	{"x-original-url", "/public/x"}, {"x-rewrite-url", "/admin"}, {"x_original_url", "/admin"}, {"x-forwarded-host", "app.example.com"},
	{"x-forwarded-uri", "/public/x"}, {"x-http-method-override", "DELETE"}, {"x-envoy-original-path", "/public/x"},
	{"user-agent", "GoogleHC/1.0"}, {"accept", "text/html"}, {"cookie", "__Host-postern=1.a.b.c"}, {"cookie", "a=b"},
	{"authorization", "Bearer a.b.c"}, {"authorization", "Basic YTpi"}, {"x_auth_request_user", "eve"}, {"x-auth-request-anonymous", "no"},
	{"x-forwarded-user", "eve"}, {"x.forwarded.user", "eve"}, {"origin", "https://app.example.com"},
	{"access-control-request-method", "GET"}, {"x-tenant", "red,blue"}, {"x-original-uri", "/public/x"}, {"content-type", "application/grpc"},
}

var fuzzPieces = []string{
	"/public", "/", "//", "/.", "/..", "..", ";", ";x=1", "/..;/", `\`, "admin", "public", "/@me", "%40me",
	"%2e", "%2E%2e", "%2f", "%2F", "%5c", "%00", "%23", "#", "%3f", "?", "%3b", "%25", "%252e", "%252f", "%2561", "%61", "%41",
	"%c0%af", "%c0%ae", "%e0%80%af", "%0a", "%0d%0a", "%20", "%ef%bc%8f", "%zz", "%", ".css", ".php", "/settings", "/teams", "/a", "b", "1", "23", "/x",
	"http://app.example.com", "*", "%2a", "~", "%7e", ".", "..%2f", "/%2e%2e/", "&", "=", ":", "@", "+", ",",
}

// oddTargets are the spellings by which gates were talked past, among them those
// of the advisories that advisories_test.go names.
var oddTargets = []string{
	"/", "/public", "/public/", "/public/x", "/admin", "/public/admin", "/public/admin/", "/public/admin/x",
	"/public/admin?x=/public", "/admin?/public/x", "/admin?x=.css", "/admin#/public/x", "/admin%23/public/x", "/admin%3f/public/x",
	"/public/../admin", "/public/%2e%2e/admin", "/public/..%2fadmin", "/public%2fadmin", `/public\..\admin`, "/public/..%5cadmin",
	"//admin", "//public/../admin", "/public//admin", "/public/./admin", "/public/.%2e/admin",
	"/public/admin;x", "/public/admin;x=/y", "/public;x/admin", "/public/..;/admin", "/public/admin;", "/public/admin%3bx", "/public/%61dmin", "/public/%2561dmin",
	"/public/%252e%252e/admin", "/public/%25%32%65%25%32%65/admin", "/public/admin%00", "/public/x%00/admin", "/public/x%0d%0aadmin",
	"/public/..%c0%afadmin", "/public/%c0%ae%c0%ae/admin", "/public/admin.php/x.css", "/admin/x.css", "/admin;.css", "/admin%2f.css", "/public/@me/x", "/public/%40me/x",
	"http://app.example.com/admin", "http://app.example.com/public/x", "*", "", "app.example.com:443", "/public/admin%20", "/public/admin%2e", "/teams/a/settings/x", "/teams/a%2fsettings/settings",
	"/public/10/a", "/public/10%2fa", "/axb/c", "/a/b/c", "/public/a;b", "/public/a;b/c", "/public/x.css", "/public/admin/x.css",
}

// seedRules are sets of rules to begin with.
var seedRules = [][]byte{
	slices.Concat(seed(needsSession, 0, "/public/admin/*"), seed(gives401, 0, "/public/admin.php"), seed(letsAnyone, 0, "/public/*")),
	slices.Concat(seed(letsAnyone, onlyGET, "/public/*"), seed(gives401, onlyPOST, "/public")),
	slices.Concat(seed(needsSession, onApp), seed(letsAnyone, belowExample)),
	slices.Concat(seed(needsSession, 0, "/public/*/admin"), seed(letsAnyone, 0, "/public/*.css", "/teams/*/settings/*"), seed(letsPass, 0, "/public/@me/*", "/*.css")),
	slices.Concat(seed(gives401, 0, "/public/[a-z]+"), seed(letsAnyone, 0, "/public(/[a-z]+)+", `/public/\d+/\w*`), seed(letsAnyone, 0, "/a*b/*")),
	slices.Concat(seed(needsSession, 0, "/admin"), seed(letsPass, 0, "/public/*"), seed(letsPass, onlyGET, "/admin/*")),
	slices.Concat(seed(needsSession, forRed), seed(letsAnyone, 0, "/public/*", "/public/a;b")),
	slices.Concat(seed(needsSession, onApp), seed(letsAnyone, 0, "/public/*")),
	slices.Concat(seed(needsSession, onlyPOST, "/public/*"), seed(letsAnyone, 0, "/public/*")),
	slices.Concat(seed(needsSession, 0, "/admin/*", "/[^/]+/admin(/.*)?"), seed(letsAnyone, 0, "/*")),
}

// What a rule lets pass, and the numbers of what it is for.
const (
	letsAnyone, letsPass, needsSession, gives401      = 0, 1, 2, 3
	onlyGET, onlyPOST                                 = 2, 3
	onApp, belowExample                               = 2 << 2, 3 << 2
	forRed                                            = 3 << 4
	nothing                                      byte = 250 // and above: no path
)

// seed are the numbers of a rule.
func seed(effect, kind byte, patterns ...string) []byte {
	numbers := []byte{effect, nothing, nothing, kind}
	for i, p := range patterns {
		if n := slices.Index(fuzzRegexes, p); n >= 0 {
			numbers[i+1] = byte(3 * n)
		} else if n := slices.Index(fuzzPaths, p); n >= 0 {
			numbers[i+1] = byte(n/2*3 + n%2 + 1)
		} else {
			panic("no such pattern: " + p)
		}
	}
	return numbers
}
