package main

import (
	"strconv"
	"strings"

	"github.com/postern-auth/postern/cmd/postern/internal/tryout"
	"github.com/postern-auth/postern/internal/config"
)

// writeOutcome prints what became of a request, and why.
func writeOutcome(p *paper, s *config.Config, c *tryout.Case, o *tryout.Outcome) {
	p.line("%s", p.in(bold, shown(c.Method+" "+c.URL.String())))
	p.line("%s", who(c, o))
	if !o.SigningIn && o.Kind != strangeHost {
		writeSeen(p, s, &o.Seen)
	}
	p.heading("Outcome")
	p.line("  %s", p.in(colourOf(o), sentence(s, o)))
	for _, line := range more(c, o) {
		p.line("  %s", line)
	}
	writeGiven(p, o)
	if o.Again != nil {
		p.line("")
		p.line("  %s", "If the provider then says the same again:")
		p.line("  %s", p.in(colourOf(o.Again), sentence(s, o.Again)))
	}
	if o.Observed {
		p.line("")
		p.line("  %s", p.in(yellow, "It passes because of insecure_observe alone. Without:"))
		p.line("  %s", p.in(colourOf(o.Without), sentence(s, o.Without)))
	}
}

// strangeHost is the status for a host that is not ours, whose rules nobody asks for.
const strangeHost = "421"

// who says who asks.
func who(c *tryout.Case, o *tryout.Outcome) string {
	switch {
	case c.Claims == nil:
		return "by somebody who is not known"
	case c.Token:
		return "by whoever the token of these claims was given to"
	case o.SigningIn:
		return "by somebody with these claims, who cannot sign in"
	}
	return "by somebody who signed in with these claims"
}

func colourOf(o *tryout.Outcome) string {
	switch o.Kind {
	case tryout.Pass:
		return green
	case tryout.Login, tryout.StepUp, tryout.Own:
		return yellow
	}
	return red
}

// sentence is what became of a request, for people.
func sentence(s *config.Config, o *tryout.Outcome) string {
	if o.SigningIn {
		return "The login ends with status " + o.Kind + ", " + o.Reason + "."
	}
	switch o.Kind {
	case tryout.Pass:
		return "pass: the application gets the request."
	case tryout.Login:
		return "login: a browser is sent to sign in" + asks(s, o.Asked) + "."
	case tryout.StepUp:
		return "step_up: a browser is sent to sign in anew (" + o.Reason + ")" + asks(s, o.Asked) + "."
	case tryout.Own:
		return "own: " + ownAnswer(o)
	}
	return o.Kind + because(o) + "."
}

func ownAnswer(o *tryout.Outcome) string {
	switch {
	case o.Status == 0:
		return "the address is Postern's own, which reads the request's body first."
	case o.Answered:
		return "the proxy that asks is told by status " + strconv.Itoa(o.Status) + " that the request may pass."
	case o.Seen.Asked:
		return "the proxy that asks is told by status " + strconv.Itoa(o.Status) + " that the request may not pass (" + o.Reason + ")."
	}
	return "the address is Postern's own, which answers with " + strconv.Itoa(o.Status) + " (" + o.Reason + ")."
}

// because says why a request was refused.
func because(o *tryout.Outcome) string {
	text := ": " + statusMeaning[o.Kind]
	if statusMeaning[o.Kind] == "" {
		text = ": refused"
	}
	return text + " (" + o.Reason + ")"
}

// statusMeaning is what an answer says to whoever asks.
var statusMeaning = map[string]string{
	"400": "the request can be read in more than one way",
	"401": "whoever asks has to prove who they are",
	"403": "whoever asks may not",
	"421": "the host is none of `hosts`",
	"503": "what it takes to decide is not there",
}

// asks says what a provider is asked for.
func asks(s *config.Config, a *tryout.Asked) string {
	if a == nil {
		return ""
	}
	if a.Page {
		if choice(s) {
			return ", by the page that lets them choose how"
		}
		return ", by the sign-in page"
	}
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+" "+shown(value))
		}
	}
	add("scope", strings.Join(a.Scopes, " "))
	add("acr_values", strings.Join(a.ACR, " "))
	add("max_age", a.MaxAge)
	add("prompt", a.Prompt)
	at := " at " + a.Provider
	if len(parts) == 0 {
		return at
	}
	return at + ", which is asked for " + strings.Join(parts, ", ")
}

// choice reports whether people can sign in at more than one provider.
func choice(s *config.Config) bool {
	parties := 0
	for i := range s.Providers {
		if s.Providers[i].SignsIn() {
			parties++
		}
	}
	return parties > 1
}

// more is what else is worth knowing.
func more(c *tryout.Case, o *tryout.Outcome) (lines []string) {
	for _, challenge := range o.Challenge {
		lines = append(lines, "www-authenticate: "+shown(challenge))
	}
	switch {
	case o.Kind == tryout.Own && o.Reason == "original_target_not_origin_form":
		lines = append(lines, "By auth_request.rules it is asked about the request that the proxy in front names: try it with --header 'x-forwarded-uri: /'.")
	case o.Reason == "no_token" && c.Claims != nil:
		lines = append(lines, "Here tokens alone count: try it with --as token.")
	case c.Token && (o.Kind == tryout.Login || o.Reason == "no_session"):
		lines = append(lines, "Tokens do not count here: try it with --as session.")
	}
	return lines
}

// writeGiven prints what the application is told.
func writeGiven(p *paper, o *tryout.Outcome) {
	switch {
	case o.Kind == tryout.Pass:
		p.heading("The application is given")
	case o.Answered:
		p.heading("The answer carries")
	default:
		return
	}
	if len(o.Headers) == 0 {
		p.line("  nothing about whoever asks")
	}
	for _, h := range o.Headers {
		value := shown(h.Value)
		if h.Hidden {
			value = p.in(faint, "("+value+")")
		}
		p.line("  %s: %s", h.Name, value)
	}
	for _, name := range o.Removed {
		if name != "authorization" && name != "dpop" || len(o.Headers) == 0 {
			p.line("  %s", p.in(faint, shown(name)+" of the request is taken out"))
		}
	}
}
