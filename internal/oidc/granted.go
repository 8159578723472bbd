package oidc

import (
	"slices"
	"strings"
)

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
	switch p.settings.Type {
	case "entra":
		return p.entraCovers(granted, asked)
	case "google": // it has names of its own for some
		return granted == "https://www.googleapis.com/auth/userinfo."+asked
	case "github": // it names the widest alone
		switch granted {
		case "user":
			return asked == "read:user" || asked == "user:email" || asked == "user:follow"
		case "admin:org":
			return asked == "write:org" || asked == "read:org"
		case "write:org":
			return asked == "read:org"
		}
	}
	return false
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
