package policy

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/session"
)

var now = time.Unix(1_800_000_000, 0)

const leeway = time.Minute

func one(v string) session.Claim     { return session.Claim{Values: []string{v}} }
func many(v ...string) session.Claim { return session.Claim{List: true, Values: v} }

// check holds somebody against one requirement.
func (r *requirement) check(s *Subject, now time.Time, leeway time.Duration) *Denial {
	return newCheck(s, now, leeway).all(&Need{requires: []*requirement{r}})
}

// alice is somebody of whom everything is known.
func alice() *Subject {
	return &Subject{
		Provider: "keycloak", ClientID: "shop", Scopes: []string{"openid", "orders.read"}, ACR: "silver", AMR: []string{"pwd", "otp"},
		AuthTime: now.Unix() - 300, Begun: now.Unix() - 300,
		Claims: map[string]session.Claim{
			"groups": many("staff", "editors"), "roles": many("editor"), "email": one("Alice@Example.com"),
			"department": one("it"), "org.cost": many("4711", ""), "empty": one(""),
		},
	}
}

// with is alice, changed.
func with(change func(*Subject)) *Subject {
	s := alice()
	change(s)
	return s
}

func withEmail(address string) *Subject {
	return with(func(s *Subject) { s.Claims["email"] = one(address) })
}

func claims(name string, values ...string) config.Require {
	return config.Require{Claims: map[string]config.ClaimTest{name: {Values: values}}}
}

func prefixed(name string, prefixes ...string) config.Require {
	return config.Require{Claims: map[string]config.ClaimTest{name: {Prefixes: prefixes}}}
}

func numbered(n int, last string) (all []string) {
	for i := range n {
		all = append(all, "g"+strings.Repeat("x", i))
	}
	return append(all, last)
}

func TestARequirementIsMetByThoseItNames(t *testing.T) {
	staff, admins := config.Require{Groups: []string{"staff"}}, config.Require{Groups: []string{"admins"}}
	for name, c := range map[string]struct {
		require config.Require
		subject *Subject
		reason  string // "" where it is met
	}{
		"nothing":                            {config.Require{}, alice(), ""},
		"a group":                            {staff, alice(), ""},
		"one of several groups":              {config.Require{Groups: []string{"admins", "editors"}}, alice(), ""},
		"one of many groups":                 {config.Require{Groups: numbered(20, "editors")}, alice(), ""},
		"none of many groups":                {config.Require{Groups: numbered(20, "admins")}, alice(), ReasonGroup},
		"no such group":                      {admins, alice(), ReasonGroup},
		"groups are told by case":            {config.Require{Groups: []string{"Staff"}}, alice(), ReasonGroup},
		"a part of a group's name":           {config.Require{Groups: []string{"staf", "taff"}}, alice(), ReasonGroup},
		"no groups at all":                   {staff, &Subject{}, ReasonGroup},
		"an empty list":                      {config.Require{Groups: []string{}}, alice(), ReasonGroup},
		"an empty group is none":             {config.Require{Groups: []string{""}}, with(func(s *Subject) { s.Claims["groups"] = many("") }), ReasonGroup},
		"a role":                             {config.Require{Roles: []string{"editor"}}, alice(), ""},
		"a role is no group":                 {config.Require{Roles: []string{"staff"}}, alice(), ReasonRole},
		"all of one requirement":             {config.Require{Groups: []string{"staff"}, Roles: []string{"editor"}}, alice(), ""},
		"one of two things":                  {config.Require{Groups: []string{"staff"}, Roles: []string{"admin"}}, alice(), ReasonRole},
		"the first of two is named":          {config.Require{Groups: []string{"x"}, Roles: []string{"y"}}, alice(), ReasonGroup},
		"all scopes":                         {config.Require{Scopes: []string{"openid", "orders.read"}}, alice(), ""},
		"one of two scopes":                  {config.Require{Scopes: []string{"orders.read", "orders.write"}}, alice(), ReasonScope},
		"no scopes given":                    {config.Require{Scopes: []string{}}, alice(), ReasonScope},
		"an address in other letters":        {config.Require{Emails: []string{"aLICE@example.COM"}}, alice(), ""},
		"another address":                    {config.Require{Emails: []string{"bob@example.com"}}, alice(), ReasonEmail},
		"an address in other Unicode":        {config.Require{Emails: []string{"kim@example.com"}}, withEmail("\u212aim@example.com"), ReasonEmail},
		"no address":                         {config.Require{Emails: []string{""}}, withEmail(""), ReasonEmail},
		"an address that is not verified":    {config.Require{Emails: []string{"alice@example.com"}}, with(func(s *Subject) { s.Unverified = true }), ReasonUnverified},
		"another that is not verified":       {config.Require{Emails: []string{"bob@example.com"}}, with(func(s *Subject) { s.Unverified = true }), ReasonEmail},
		"one of many addresses":              {config.Require{Emails: numbered(20, "Alice@EXAMPLE.com")}, alice(), ""},
		"a domain":                           {config.Require{EmailDomains: []string{"EXAMPLE.com"}}, alice(), ""},
		"a domain that is not verified":      {config.Require{EmailDomains: []string{"example.com"}}, with(func(s *Subject) { s.Unverified = true }), ReasonUnverified},
		"another domain":                     {config.Require{EmailDomains: []string{"example.org"}}, alice(), ReasonEmailDomain},
		"the end of a domain":                {config.Require{EmailDomains: []string{"example.com"}}, withEmail("a@badexample.com"), ReasonEmailDomain},
		"a domain below":                     {config.Require{EmailDomains: []string{"*.example.com"}}, withEmail("a@x.y.example.com"), ""},
		"a domain below, written with a dot": {config.Require{EmailDomains: []string{".example.com"}}, withEmail("a@x.example.com"), ""},
		"the domain is not below itself":     {config.Require{EmailDomains: []string{"*.example.com"}}, alice(), ReasonEmailDomain},
		"below is not the domain":            {config.Require{EmailDomains: []string{"example.com"}}, withEmail("a@x.example.com"), ReasonEmailDomain},
		"the end of a domain is not below":   {config.Require{EmailDomains: []string{"*.example.com"}}, withEmail("a@badexample.com"), ReasonEmailDomain},
		"an empty label is not below":        {config.Require{EmailDomains: []string{"*.example.com"}}, withEmail("a@.example.com"), ReasonEmailDomain},
		"any domain":                         {config.Require{EmailDomains: []string{"*"}}, alice(), ""},
		"any domain needs one":               {config.Require{EmailDomains: []string{"*"}}, withEmail("alice"), ReasonEmailDomain},
		"an empty domain is none":            {config.Require{EmailDomains: []string{""}}, withEmail("alice@"), ReasonEmailDomain},
		"several at signs, the last fits":    {config.Require{EmailDomains: []string{"example.com"}}, withEmail("a@evil.org@example.com"), ReasonEmailDomain}, // GHSA-c5c4-8r6x-56w3
		"several at signs, the first fits":   {config.Require{EmailDomains: []string{"example.com"}}, withEmail("a@example.com@evil.org"), ReasonEmailDomain},
		"several at signs and any domain":    {config.Require{EmailDomains: []string{"*", "*.com"}}, withEmail("a@b@example.com"), ReasonEmailDomain},
		"nobody at a domain":                 {config.Require{EmailDomains: []string{"example.com"}}, withEmail("@example.com"), ReasonEmailDomain},
		"a client":                           {config.Require{ClientIDs: []string{"script", "shop"}}, alice(), ""},
		"another client":                     {config.Require{ClientIDs: []string{"script"}}, alice(), ReasonClient},
		"no client":                          {config.Require{ClientIDs: []string{""}}, &Subject{}, ReasonClient},
		"a claim":                            {claims("department", "hr", "it"), alice(), ""},
		"a claim of another value":           {claims("department", "hr"), alice(), ReasonClaim},
		"a claim by its path":                {claims("org.cost", "4711"), alice(), ""},
		"a claim of any value":               {claims("department"), alice(), ""},
		"a claim that is not there":          {claims("nothing"), alice(), ReasonClaim},
		"a claim that is empty":              {claims("empty"), alice(), ReasonClaim},
		"a beginning":                        {prefixed("org.cost", "48", "47"), alice(), ""},
		"no such beginning":                  {prefixed("org.cost", "7"), alice(), ReasonClaim},
		"an empty beginning is none":         {prefixed("org.cost", ""), alice(), ReasonClaim},
		"a value or a beginning": {config.Require{Claims: map[string]config.ClaimTest{"org.cost": {Values: []string{"1"}, Prefixes: []string{"47"}}}},
			alice(), ""},
		"two claims":                     {config.Require{Claims: map[string]config.ClaimTest{"department": {}, "nothing": {}}}, alice(), ReasonClaim},
		"all of two":                     {config.Require{All: []config.Require{staff, {Groups: []string{"editors"}}}}, alice(), ""},
		"all, and one is not":            {config.Require{All: []config.Require{staff, admins}}, alice(), ReasonGroup},
		"any, and one is":                {config.Require{Any: []config.Require{admins, staff}}, alice(), ""},
		"any, and none is":               {config.Require{Any: []config.Require{admins, {Roles: []string{"x"}}}}, alice(), ReasonAny},
		"any of nothing":                 {config.Require{Any: []config.Require{}}, alice(), ReasonAny},
		"not, and it is not":             {config.Require{Not: &admins}, alice(), ""},
		"not, and it is":                 {config.Require{Not: &staff}, alice(), ReasonNot},
		"not not":                        {config.Require{Not: &config.Require{Not: &staff}}, alice(), ""},
		"not both, and one is":           {config.Require{Not: &config.Require{Groups: []string{"staff"}, Roles: []string{"x"}}}, alice(), ""},
		"a level":                        {config.Require{ACR: []string{"gold", "silver"}}, alice(), ""},
		"another level":                  {config.Require{ACR: []string{"gold"}}, alice(), ReasonACR},
		"no level":                       {config.Require{ACR: []string{""}}, &Subject{}, ReasonACR},
		"a recent login":                 {config.Require{MaxAge: config.Duration(10 * time.Minute)}, alice(), ""},
		"a login just recent enough":     {config.Require{MaxAge: config.Duration(4 * time.Minute)}, alice(), ""},
		"a login just too old":           {config.Require{MaxAge: config.Duration(4*time.Minute - time.Second)}, alice(), ReasonMaxAge},
		"a login of no time":             {config.Require{MaxAge: config.Duration(time.Hour)}, &Subject{}, ReasonMaxAge},
		"a login before time began":      {config.Require{MaxAge: config.Duration(time.Hour)}, &Subject{AuthTime: -1 << 62}, ReasonMaxAge},
		"a login a moment ahead":         {config.Require{MaxAge: config.Duration(time.Hour)}, &Subject{AuthTime: now.Unix() + 60}, ""},
		"a login in the future":          {config.Require{MaxAge: config.Duration(time.Hour)}, &Subject{AuthTime: now.Unix() + 61}, ReasonMaxAge},
		"a login at the end of all time": {config.Require{MaxAge: config.Duration(time.Hour)}, &Subject{AuthTime: 1<<63 - 1}, ReasonMaxAge},
		"a way of authentication":        {config.Require{AMR: []string{"hwk", "otp"}}, alice(), ""},
		"another way":                    {config.Require{AMR: []string{"hwk"}}, alice(), ReasonAMR},
		"a provider":                     {config.Require{Provider: "keycloak"}, alice(), ""},
		"another provider":               {config.Require{Provider: "google"}, alice(), ReasonProvider},

		"outdated claims":                {staff, with(outdated), ReasonOutdated},
		"outdated claims under all":      {config.Require{All: []config.Require{claims("department")}}, with(outdated), ReasonOutdated},
		"outdated claims under not":      {config.Require{Not: &admins}, with(outdated), ReasonOutdated},
		"outdated claims under not not":  {config.Require{Not: &config.Require{Not: &admins}}, with(outdated), ReasonOutdated},
		"outdated, and the other way is": {config.Require{Any: []config.Require{admins, {ACR: []string{"silver"}}}}, with(outdated), ""},
		"outdated, and no other way is":  {config.Require{Any: []config.Require{admins, {AMR: []string{"hwk"}}}}, with(outdated), ReasonOutdated},
		"outdated, and nothing of it":    {config.Require{Scopes: []string{"openid"}, ACR: []string{"silver"}, AMR: []string{"otp"}, Provider: "keycloak"}, with(outdated), ""},
		"outdated, and more is missing":  {config.Require{Groups: []string{"x"}, AMR: []string{"hwk"}}, with(outdated), ReasonAMR},
		"not both, one outdated and one not": {config.Require{Not: &config.Require{Groups: []string{"x"}, AMR: []string{"hwk"}}},
			with(outdated), ""},
		"outdated addresses": {config.Require{Emails: []string{"alice@example.com"}}, with(outdated), ReasonOutdated},
		"outdated domains":   {config.Require{EmailDomains: []string{"example.com"}}, with(outdated), ReasonOutdated},
	} {
		d := newRequirement(c.require).check(c.subject, now, leeway)
		switch {
		case d == nil && c.reason != "":
			t.Errorf("%s: met", name)
		case d != nil && d.Reason != c.reason:
			t.Errorf("%s: got %q, want %q", name, d.Reason, c.reason)
		case d != nil && len(d.Missing) == 0:
			t.Errorf("%s: nothing is said to be missing", name)
		}
	}
}

func outdated(s *Subject) { s.Outdated = true }

func TestToMeetARequirementCostsNoMemory(t *testing.T) {
	require := config.Require{
		Groups: numbered(20, "staff"), Roles: []string{"editor"}, Scopes: []string{"openid"}, Emails: numbered(20, "alice@example.com"),
		EmailDomains: []string{"*.org", "example.com"}, ClientIDs: []string{"shop"}, ACR: []string{"silver"}, AMR: []string{"otp"}, Provider: "keycloak",
		MaxAge: config.Duration(time.Hour), Claims: map[string]config.ClaimTest{"org.cost": {Prefixes: []string{"47"}}},
		Any: []config.Require{{Groups: []string{"x"}}, {Groups: []string{"staff"}}}, Not: &config.Require{Groups: []string{"x"}},
	}
	need := Need{requires: []*requirement{newRequirement(require)}}
	s := alice()
	var d *Denial
	if n := testing.AllocsPerRun(100, func() { d = need.Check(s, now, leeway) }); n != 0 || d != nil {
		t.Errorf("%v allocations, and %+v", n, d)
	}
}

func TestWhatIsGatheredIsWhatRulesAndHeadersName(t *testing.T) {
	c := &config.Config{
		Forward: config.Forward{Headers: map[string]config.Header{"x-a": {Path: "top.path"}, "x-b": {Claim: "user"}}},
		Rules: []config.Rule{
			{Forward: config.RuleForward{Headers: map[string]config.Header{"x-c": {Path: "rule.path"}}}},
			{Require: &config.Require{
				Claims: map[string]config.ClaimTest{"org.cost": {}, "department": {}},
				All:    []config.Require{claims("in.all")}, Any: []config.Require{claims("in.any")}, Not: &config.Require{Any: []config.Require{claims("in.not")}},
			}},
		},
	}
	p := &config.Provider{Claims: config.Claims{"user": "sub", "department": "org.department"}}
	got := Compile(c).Gathered(p)
	want := []string{"department=org.department", "in.all=in.all", "in.any=in.any", "in.not=in.not", "org.cost=org.cost",
		"rule.path=rule.path", "top.path=top.path", "user=sub"}
	var have []string
	for key, path := range got {
		have = append(have, key+"="+path)
	}
	slices.Sort(have)
	if !slices.Equal(have, want) {
		t.Errorf("got %q", have)
	}
	got["user"] = "x"
	if p.Claims["user"] != "sub" {
		t.Error("the provider's claims were changed")
	}
}
