package gate

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/oidc"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/session"
)

// wanted is what the settings want to know of those whom a provider speaks for.
type wanted struct {
	paths map[string]string // name to gjson path
	stamp string            // of all that decides what a session says: under another it says something else

	questions map[string]string // name of a claim to the question that brings it
}

func newWanted(rules *policy.Rules, p *config.Provider) wanted {
	w := wanted{paths: rules.Gathered(p), questions: policy.Questions(p)}
	hash := sha256.New()
	fmt.Fprintf(hash, "%t %q ", p.InsecureUnverifiedEmail, p.Scopes)
	for _, name := range slices.Sorted(maps.Keys(w.paths)) {
		fmt.Fprintf(hash, "%d %s %d %s ", len(name), name, len(w.paths[name]), w.paths[name])
	}
	fmt.Fprint(hash, enrichStamp(p))
	w.stamp = base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:6])
	return w
}

// looksAt reports whether the settings want to know a claim, or what is in it.
func (w *wanted) looksAt(claim string) bool {
	for _, path := range w.paths {
		if rest, ok := strings.CutPrefix(path, claim); ok && (rest == "" || strings.ContainsRune(".|#", rune(rest[0]))) {
			return true
		}
	}
	return false
}

// gather has a session say what the provider says of the person: in the ID
// token; in a Keycloak's access token, where it has the roles; and at userinfo,
// where the settings ask for that or something is still wanted.
func (g *Gate) gather(env flow.Env, p *party, s *session.Session, id *oidc.IDToken) error {
	set := p.Settings()
	if err := p.Complete(env, id, accessOf(s), p.looksAt); err != nil {
		return err
	}
	said := [][]byte{id.Claims}
	if set.Type == "keycloak" {
		own, err := p.OwnTokenClaims(env, accessOf(s), id.Subject)
		if err != nil {
			return err
		}
		if own != nil {
			said = append(said, own)
		}
	}
	claims, complete := pick(p.paths, said...)
	s.Userinfo = nil
	if set.Plain() { // all of it was asked for, as it is again when the session is confirmed
		s.Userinfo = slices.Sorted(maps.Keys(claims))
	}
	if (set.Userinfo == "always" || set.Userinfo == "auto" && !complete) && p.HasUserinfo() {
		info, err := p.Userinfo(env, accessOf(s), id.Subject)
		if err != nil {
			return err
		}
		informed, _ := pick(p.paths, info)
		for name, claim := range informed {
			if _, known := claims[name]; !known {
				claims[name], s.Userinfo = claim, append(s.Userinfo, name)
			}
		}
		slices.Sort(s.Userinfo)
		said = append(said, info)
	}
	s.Unverified = unverified(set, said...)
	p.believe(claims, !s.Unverified)
	nameless(claims, id.Subject)
	s.Realm = p.realmOf(id.Claims)
	s.Claims, s.Gathered = claims, p.stamp
	if id.ACR != "" {
		s.ACR = id.ACR
	}
	if id.AMR != nil {
		s.AMR = id.AMR
	}
	return nil
}

// accessOf is a session's access token.
func accessOf(s *session.Session) oidc.Access {
	return oidc.Access{Token: s.AccessToken, Proof: s.Proof}
}

// nameless has somebody without a user name go by another one.
func nameless(claims map[string]session.Claim, name string) {
	if claims["user"].First() == "" {
		claims["user"] = session.Claim{Values: []string{name}}
	}
}

// addClaims has a session say what the provider's userinfo endpoint now says,
// and what was said before elsewhere. What that endpoint has ceased to say is
// gone: many providers leave a list out once nothing is in it.
func (p *party) addClaims(s *session.Session, info []byte) {
	claims, _ := pick(p.paths, info)
	said := slices.Sorted(maps.Keys(claims))
	for name, claim := range s.Claims {
		if _, fresh := claims[name]; !fresh && !slices.Contains(s.Userinfo, name) {
			claims[name] = claim
		}
	}
	if gjson.GetBytes(info, "email_verified").Exists() {
		s.Unverified = unverified(p.Settings(), info)
	}
	p.believe(claims, !s.Unverified)
	nameless(claims, s.Subject)
	s.Claims, s.Userinfo = claims, said
}

// believe takes an address that was not verified out of claims, under whatever name
// it is there: whoever may enter any would go by that of somebody else.
func (w *wanted) believe(claims map[string]session.Claim, verified bool) {
	for name, path := range w.paths {
		if !verified && (name == "email" || path == "email") {
			delete(claims, name)
		}
	}
}

// unverified reports whether a provider says that an address was not verified
// (OpenID Connect Core, section 5.1): by whatever is not a yes. One that does not
// say is believed.
func unverified(p *config.Provider, said ...[]byte) bool {
	return !p.InsecureUnverifiedEmail && slices.ContainsFunc(said, func(doc []byte) bool {
		v := gjson.GetBytes(doc, "email_verified")
		return v.Type != gjson.Null && v.Type != gjson.True && v.Str != "true" && v.Raw != "1"
	})
}

// subjectOf is whom a session is of, as rules see them.
func (g *Gate) subjectOf(s *session.Session) policy.Subject {
	return policy.Subject{
		Provider: s.Provider, ClientID: s.ClientID, Claims: s.Claims, Scopes: g.granted(s),
		ACR: s.ACR, AMR: s.AMR, AuthTime: s.AuthTime, Unverified: s.Unverified,
		Questions: g.wanted[s.Provider].questions, Enriched: s.Enriched,
		Outdated: s.Gathered != g.wanted[s.Provider].stamp, Asked: s.Asked, Begun: s.Begun.Time().Unix(),
	}
}
