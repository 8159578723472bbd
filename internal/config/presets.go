package config

// preset fills in what the provider's type says and the settings leave out.
func (p *Provider) preset() {
	if p.Scopes == nil && !p.Plain() {
		p.Scopes = []string{"openid", "profile", "email"}
	}
	if p.Algorithms == nil {
		p.Algorithms = []string{"RS256", "ES256"}
	}
}

// Plain reports whether the provider speaks OAuth 2.0 alone: it has no ID
// tokens, no keys and no discovery document.
func (p *Provider) Plain() bool { return p.Type == "github" || p.Type == "oauth2" }

// SignsIn reports whether people may sign in at the provider.
func (p *Provider) SignsIn() bool { return p.SignIn && p.ClientID != "" }

// SwitchPrompt is the prompt by which the provider lets people sign in as someone
// else.
func (p *Provider) SwitchPrompt() string {
	switch p.Type {
	case "google", "entra", "github":
		return "select_account"
	}
	return "login"
}
