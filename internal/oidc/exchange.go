package oidc

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/postern-auth/postern/internal/flow"
)

// Tokens is what a provider gives for a code (RFC 6749, section 5.1; Core,
// section 3.1.3.3). None of it is verified yet.
type Tokens struct {
	Access   string
	ID       string
	Refresh  string
	Lifetime time.Duration // of the access token; 0: not told
	Scope    []string      // of the access token; nil: not told
	Proof    string        // the id of the key that the access token is bound to (RFC 9449); "": none
}

// String never shows a token.
func (Tokens) String() string { return "tokens(redacted)" }

// GoString never shows a token.
func (Tokens) GoString() string { return "tokens(redacted)" }

type tokenDocument struct {
	AccessToken     string      `json:"access_token"`
	TokenType       string      `json:"token_type"`
	IssuedTokenType string      `json:"issued_token_type"`
	IDToken         string      `json:"id_token"`
	RefreshToken    string      `json:"refresh_token"`
	ExpiresIn       json.Number `json:"expires_in"`
	Scope           scopeText   `json:"scope"`
	Error           string      `json:"error"`
}

// scopeText is a list of scopes, which a space separates (RFC 6749, section
// 3.3). In any other form it counts as not told: no token depends on it. An empty
// list is for translate to tell.
type scopeText []string

// UnmarshalJSON implements json.Unmarshaler.
func (s *scopeText) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*s = strings.Fields(text)
	}
	return nil
}

// Exchange turns a code into tokens (RFC 6749, section 4.1.3; RFC 7636,
// section 4.5).
func (p *Provider) Exchange(env flow.Env, code, redirectURI, verifier string) (Tokens, error) {
	const step = "code exchange"
	if err := p.await(env); err != nil {
		return Tokens{}, err
	}
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {redirectURI},
		"code_verifier": {verifier},
		"resource":      p.settings.Resources,
	}
	bound, err := p.binding(step, "")
	if err != nil {
		return Tokens{}, err
	}
	doc, err := p.askTokens(env, step, form, bound)
	if err != nil {
		return Tokens{}, err
	}
	t, err := readTokens(step, doc, bound)
	if err == nil && t.ID == "" && !p.settings.Plain() {
		return Tokens{}, refuse(step, "no_id_token")
	}
	return t, err
}

// askTokens asks the token endpoint for tokens, which are to be bound to a key of
// ours or are not, and reads the answer.
func (p *Provider) askTokens(env flow.Env, step string, form url.Values, bound binding) (*tokenDocument, error) {
	r, err := p.postForTokens(env, step, form, bound)
	if err != nil {
		return nil, err
	}
	doc := &tokenDocument{}
	if err := decode(step, r, doc); err != nil {
		return nil, err
	}
	p.translate(doc)
	if r.Status != 200 || doc.Error != "" { // there are providers that refuse by 200
		return nil, refusal(step, doc.Error)
	}
	return doc, nil
}

// postForTokens sends the form, and once more where the provider wants a nonce of
// its own in the proof: with another client assertion, for each is for one use.
func (p *Provider) postForTokens(env flow.Env, step string, form url.Values, bound binding) (flow.Response, error) {
	if bound.key == nil {
		return p.post(env, step, p.meta.token, form, maxTokens, 400, 401)
	}
	env = bearing{env, p, "", bound.key}
	r, err := p.post(env, step, p.meta.token, form, maxTokens, 400, 401)
	if err == nil && refusedForNonce(r) {
		r, err = p.post(env, step, p.meta.token, form, maxTokens, 400, 401)
	}
	return r, err
}

// readTokens reads tokens, which must be bound where they were to be. Nothing
// becomes of one that its thief could use, too (RFC 9449, section 5).
func readTokens(step string, doc *tokenDocument, bound binding) (Tokens, error) {
	switch {
	case doc.AccessToken == "":
		return Tokens{}, refuse(step, "no_access_token")
	case bound.key != nil && !strings.EqualFold(doc.TokenType, "DPoP"):
		return Tokens{}, refuse(step, "token_not_bound")
	case bound.key == nil && !strings.EqualFold(doc.TokenType, "Bearer"):
		return Tokens{}, refuse(step, "token_type_not_bearer")
	case !visible(doc.AccessToken) || !visible(doc.RefreshToken) || !visible(doc.IDToken):
		return Tokens{}, refuse(step, "token_malformed")
	}
	lifetime, err := doc.lifetime(step)
	if err != nil {
		return Tokens{}, err
	}
	return Tokens{
		Access: doc.AccessToken, ID: doc.IDToken, Refresh: doc.RefreshToken,
		Lifetime: lifetime, Scope: doc.Scope, Proof: bound.id,
	}, nil
}

// lifetime is the access token's, or 0 where it is not told.
func (d *tokenDocument) lifetime(step string) (time.Duration, error) {
	if d.ExpiresIn == "" {
		return 0, nil
	}
	seconds, err := strconv.ParseFloat(string(d.ExpiresIn), 64)
	if err != nil || seconds < 0 {
		return 0, refuse(step, "expires_in_malformed")
	}
	const year = 366 * 24 * 3600
	return time.Duration(min(seconds, year)) * time.Second, nil
}

// visible reports whether s can stand in a header as it is: visible ASCII
// only, as RFC 6749 appendix A has every token.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// knownErrors are the codes of RFC 6749 sections 4.1.2.1 and 5.2, of RFC 7009
// section 2.2.1, of RFC 8693 section 2.2.2, of RFC 9449 sections 5 and 8, and of
// Core section 3.1.2.6.
var knownErrors = []string{
	"access_denied", "account_selection_required", "consent_required",
	"interaction_required", "invalid_client", "invalid_dpop_proof", "invalid_grant",
	"invalid_request", "invalid_request_object", "invalid_request_uri",
	"invalid_scope", "invalid_target", "login_required", "registration_not_supported",
	"request_not_supported", "request_uri_not_supported", "server_error",
	"temporarily_unavailable", "unauthorized_client",
	"unsupported_grant_type", "unsupported_response_type",
	"unsupported_token_type", nonceError,
}

// refusal is the Failure for a provider's error code.
func refusal(step, code string) error {
	code = ErrorCode(code)
	return &Failure{Step: step, Reason: "provider_" + code, Temporary: code == "server_error" || code == "temporarily_unavailable" || code == nonceError}
}

// ErrorCode returns an error code as the specifications name it, or "error"
// for anything else: what a provider or a browser words freely is not
// repeated.
func ErrorCode(code string) string {
	if slices.Contains(knownErrors, code) {
		return code
	}
	return "error"
}
