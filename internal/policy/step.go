package policy

import (
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/session"
)

// Step returns what a login of somebody who is not known yet has to bring, as
// far as it can be told before they are: what is required in any case and a
// login can be asked for.
func (n *Need) Step() (s session.Step) {
	for _, r := range n.requires {
		s = s.And(stepOf(r))
	}
	if !s.IsZero() {
		s.Prompt = n.Prompt
	}
	return s
}

func stepOf(r *config.Require) session.Step {
	s := session.Step{Scopes: r.Scopes, ACR: r.ACR, MaxAge: int64(r.MaxAge.Std() / time.Second)}
	for i := range r.All {
		s = s.And(stepOf(&r.All[i]))
	}
	return s
}
