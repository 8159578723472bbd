package oidc

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// Limits of what a provider may answer, in bytes.
const (
	maxMetadata = 128 << 10
	maxKeys     = 256 << 10
	maxTokens   = 128 << 10
	maxUserinfo = 128 << 10
	maxOther    = 64 << 10
)

// endpoint is a provider's address, resolved to the cluster that reaches it.
type endpoint struct {
	scheme, authority, path, cluster string
}

// address takes an address apart. It must be https, unless the settings allow
// plain http.
func (p *Provider) address(step, address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return nil, refuse(step, "bad_endpoint")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !p.settings.InsecureIssuer) {
		return nil, refuse(step, "endpoint_not_https")
	}
	return u, nil
}

// endpoint resolves an address that we call: its host must have a cluster.
func (p *Provider) endpoint(step, address string) (endpoint, error) {
	u, err := p.address(step, address)
	if err != nil {
		return endpoint{}, err
	}
	host := config.HostOf(u)
	cluster, ok := p.settings.Clusters[host]
	if !ok {
		if host != p.host {
			return endpoint{}, refuse(step, "endpoint_without_cluster")
		}
		cluster = p.settings.Cluster
	}
	return endpoint{u.Scheme, u.Host, u.RequestURI(), cluster}, nil
}

// call sends one request and returns an answer of status 200, or the error
// that the answer amounts to. The statuses of accept are answers too.
func (p *Provider) call(env flow.Fetcher, step string, e endpoint, c flow.Call, accept ...int) (flow.Response, error) {
	c.Provider, c.Step = p.Name(), step
	c.Cluster, c.Scheme, c.Authority, c.Path = e.cluster, e.scheme, e.authority, e.path
	c.Timeout = p.settings.Timeout.Std()
	c.Header = append(c.Header,
		httpmsg.Field{Name: "accept", Value: "application/json"},
		httpmsg.Field{Name: "accept-encoding", Value: "identity"})
	r, err := env.Fetch(c)
	if err != nil {
		return flow.Response{}, unanswered(step, err)
	}
	if err := checkStatus(step, r, accept); err != nil {
		return flow.Response{}, err
	}
	if encoding, ok := r.Header.Get("content-encoding"); ok && encoding != "identity" {
		return flow.Response{}, unreadable(step, r, "answer_encoded")
	}
	return r, nil
}

// post sends a form with the client's authentication.
func (p *Provider) post(env flow.Env, step string, e endpoint, form url.Values, maxBody int, accept ...int) (flow.Response, error) {
	header, err := p.authenticate(step, e, form, env.Now())
	if err != nil {
		return flow.Response{}, err
	}
	header = append(header,
		httpmsg.Field{Name: "content-type", Value: "application/x-www-form-urlencoded"})
	return p.call(env, step, e, flow.Call{
		Method: "POST", Header: header, Body: []byte(form.Encode()), MaxBody: maxBody,
	}, accept...)
}

// checkStatus returns nil for a status that is an answer. 429, 500 and 503 are
// a provider's own way to say that it did nothing; the rest from 500 on comes
// from whatever stands in front of it and may have passed the request on.
func checkStatus(step string, r flow.Response, accept []int) error {
	reason := statusReason + strconv.Itoa(r.Status)
	switch {
	case r.Status == 200 || slices.Contains(accept, r.Status):
		return nil
	case r.Status == 503 && brokenOff(r.Body):
		return lost(step, reason)
	case r.Status == 429 || r.Status == 500 || r.Status == 503:
		return outage(step, reason)
	case r.Status > 500:
		return lost(step, reason)
	default:
		return refuse(step, reason)
	}
}

// brokenOff reports whether the body of a 503 is Envoy's word that the
// connection broke after the request may have gone out. (With no endpoint at
// all Envoy 1.36 to 1.40 say "no healthy upstream"; after a time-out they
// answer 504.)
func brokenOff(body []byte) bool {
	rest, ok := strings.CutPrefix(string(body), "upstream connect error or disconnect/reset before headers. ")
	if !ok {
		return false
	}
	// Where it says otherwise ("retried and the latest reset reason: ") there
	// were attempts before.
	reason, _, _ := strings.Cut(rest, ",")
	return !slices.Contains(neverConnected, reason)
}

// neverConnected are the reasons that mean that there was no connection; after
// a comma more may be said about the transport.
var neverConnected = []string{
	"reset reason: connection failure", "reset reason: remote connection failure",
	"reset reason: local connection failure", "reset reason: connection timeout", "reset reason: overflow",
}

// unreadable is the failure for an answer that cannot be read. Status 200 says
// that the provider did what it was asked for.
func unreadable(step string, r flow.Response, reason string) error {
	if r.Status == 200 {
		return lost(step, reason)
	}
	return outage(step, reason)
}

// decode reads a JSON answer: names match by case, no name comes twice, and
// nothing follows the value.
func decode(step string, r flow.Response, v any) error {
	media, _ := r.Header.Get("content-type")
	media, _, _ = strings.Cut(media, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	if media != "application/json" && !strings.HasSuffix(media, "+json") {
		return unreadable(step, r, "answer_not_json")
	}
	if err := json.Unmarshal(r.Body, v); err != nil {
		return unreadable(step, r, "answer_malformed")
	}
	return nil
}
