package demo

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strconv"

	"github.com/postern-auth/postern/internal/idp"
)

// partners are the people of the second provider.
var partners = []idp.User{
	{PreferredUsername: "carol", Password: "looking-glass", Name: "Carol Danvers", Email: "carol@partner.example", Groups: []string{"group2"}},
}

// partnerIssuer is by another host name than the first provider's: browsers give
// cookies to a host whatever its port, and the two would share theirs.
func (p *place) partnerIssuer() string { return "http://" + p.partner }

func (d *demo) partnerProvider(address string) (http.Handler, error) {
	return idp.New(idp.Config{
		Issuer: (&place{partner: address}).partnerIssuer(),
		Title:  "Partner login",
		Users:  partners,
		Clients: []idp.Client{{
			ID: "demo", Secret: d.env["DEMO_CLIENT_SECRET"],
			RedirectURIs:           []string{d.base() + "/oauth2/callback"},
			PostLogoutRedirectURIs: []string{d.base() + "/", d.base() + signedOut},
		}},
	})
}

// withPartner adds the second provider to settings, which then have a choice.
func (p *place) withPartner(settings []byte) ([]byte, error) {
	return changed(settings, func(s map[string]any) {
		first, _ := s["providers"].([]any)[0].(map[string]any)
		second := maps.Clone(first)
		second["name"], second["display_name"] = "partner", "Partner login"
		second["issuer"], second["cluster"] = p.partnerIssuer(), "partner"
		second["email_domains"] = []string{"partner.example"}
		first["email_domains"] = []string{"example.com"}
		s["providers"] = []any{first, second}
	})
}

// withPartnerCluster adds the second provider to a bootstrap.
func (p *place) withPartnerCluster(bootstrap []byte) ([]byte, error) {
	host, port, err := net.SplitHostPort(p.partner)
	if err != nil {
		return nil, fmt.Errorf("demo: address: %w", err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("demo: port: %w", err)
	}
	address := map[string]any{"socket_address": map[string]any{"address": host, "port_value": number}}
	return changed(bootstrap, func(b map[string]any) {
		static, _ := b["static_resources"].(map[string]any)
		clusters, _ := static["clusters"].([]any)
		static["clusters"] = append(clusters, map[string]any{
			"name": "partner",
			"load_assignment": map[string]any{
				"cluster_name": "partner",
				"endpoints":    []any{map[string]any{"lb_endpoints": []any{map[string]any{"endpoint": map[string]any{"address": address}}}}},
			},
		})
	})
}

// changed is a JSON object after a change.
func changed(text []byte, change func(map[string]any)) ([]byte, error) {
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, fmt.Errorf("demo: configuration: %w", err)
	}
	change(object)
	return json.Marshal(object)
}
