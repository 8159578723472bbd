package demo

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
)

// ownWorld takes what only a reader's own Envoy can have: another address than
// localhost, and a provider that speaks TLS.
func (d *demo) ownWorld(o Options) error {
	if o.Host != "none" && (o.URL != "" || o.IdPCertificate != "" || o.IdPKey != "") {
		return errors.New("demo: an address and certificates are for an Envoy of your own")
	}
	if o.URL != "" {
		u, err := url.Parse(o.URL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || o.URL != u.Scheme+"://"+u.Host {
			return fmt.Errorf("demo: %q is not an address such as https://localhost:10443", o.URL)
		}
		d.url = o.URL
	}
	if o.IdPCertificate == "" && o.IdPKey == "" {
		return nil
	}
	certificate, err := tls.LoadX509KeyPair(o.IdPCertificate, o.IdPKey)
	if err != nil {
		return fmt.Errorf("demo: the provider's certificate: %w", err)
	}
	d.idpTLS = []tls.Certificate{certificate}
	return nil
}
