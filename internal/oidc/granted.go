package oidc

import (
	"slices"
	"strings"
)

// includes are the scopes that others include, or go by: of a type of provider, the
// one that it names to those that can have been asked for.
var includes = map[string]map[string][]string{
	"google": {
		"https://www.googleapis.com/auth/userinfo.email":   {"email"},
		"https://www.googleapis.com/auth/userinfo.profile": {"profile"},
	},
	// GitHub names the widest alone.
	"github": {
		"user":      {"read:user", "user:email", "user:follow"},
		"admin:org": {"write:org", "read:org"},
		"write:org": {"read:org"},
	},
}

// Granted are the scopes that were granted, in the words in which they were asked
// for as well as in the provider's own.
func (p *Provider) Granted(asked, granted []string) []string {
	all := slices.Clone(granted)
	for _, s := range asked {
		if !slices.Contains(all, s) && slices.ContainsFunc(granted, func(g string) bool { return p.covers(g, s) }) {
			all = append(all, s)
		}
	}
	return all
}

// covers reports whether a scope that was granted is, or includes, one that was
// asked for.
func (p *Provider) covers(granted, asked string) bool {
	if p.settings.Type == "entra" {
		return p.entraCovers(granted, asked)
	}
	return slices.Contains(includes[p.settings.Type][granted], asked)
}

// entraCovers knows that Entra names scopes of Microsoft Graph with the resource or
// without, in its own case, and those of OpenID Connect not at all: they count as
// granted, since without them there would have been no ID token.
func (p *Provider) entraCovers(granted, asked string) bool {
	switch asked {
	case "openid", "profile", "email", offline:
		return true
	}
	bare := func(s string) string {
		for _, resource := range []string{p.cloud().graph, "00000003-0000-0000-c000-000000000000"} {
			if rest, ok := strings.CutPrefix(s, resource+"/"); ok {
				return rest
			}
		}
		return s
	}
	return strings.EqualFold(bare(granted), bare(asked))
}
