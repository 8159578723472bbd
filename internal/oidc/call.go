package oidc

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// Limits of what a provider may answer, in bytes.
const (
	maxMetadata = 128 << 10
	maxKeys     = 256 << 10
	maxTokens   = 128 << 10
	maxUserinfo = 128 << 10
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
	host := hostOf(u)
	cluster, ok := p.settings.Clusters[host]
	if !ok {
		if host != p.host {
			return endpoint{}, refuse(step, "endpoint_without_cluster")
		}
		cluster = p.settings.Cluster
	}
	return endpoint{u.Scheme, u.Host, u.RequestURI(), cluster}, nil
}

// hostOf is an address's host in lower case, with its port unless that is the
// scheme's own.
func hostOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if u.Scheme == "https" {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}

// call sends one request and returns an answer of status 200, or the error
// that the answer amounts to. With accept400 a 400 or 401 is an answer too.
func (p *Provider) call(env flow.Fetcher, step string, e endpoint, c flow.Call, accept400 bool) (flow.Response, error) {
	c.Cluster, c.Scheme, c.Authority, c.Path = e.cluster, e.scheme, e.authority, e.path
	c.Timeout = p.settings.Timeout.Std()
	c.Header = append(c.Header,
		httpmsg.Field{Name: "accept", Value: "application/json"},
		httpmsg.Field{Name: "accept-encoding", Value: "identity"})
	r, err := env.Fetch(c)
	if err != nil {
		return flow.Response{}, unanswered(step, err)
	}
	switch {
	case r.Status == 200:
	case accept400 && (r.Status == 400 || r.Status == 401):
	case r.Status == 429 || r.Status >= 500:
		return flow.Response{}, outage(step, "status_"+strconv.Itoa(r.Status))
	default:
		return flow.Response{}, refuse(step, "status_"+strconv.Itoa(r.Status))
	}
	if encoding, ok := r.Header.Get("content-encoding"); ok && encoding != "identity" {
		return flow.Response{}, outage(step, "answer_encoded")
	}
	return r, nil
}

// decode reads a JSON answer: names match by case, no name comes twice, and
// nothing follows the value.
func decode(step string, r flow.Response, v any) error {
	media, _ := r.Header.Get("content-type")
	media, _, _ = strings.Cut(media, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	if media != "application/json" && !strings.HasSuffix(media, "+json") {
		return outage(step, "answer_not_json")
	}
	if err := json.Unmarshal(r.Body, v); err != nil {
		return outage(step, "answer_malformed")
	}
	return nil
}
