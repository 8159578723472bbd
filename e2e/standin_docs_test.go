package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/postern-auth/postern/internal/config"
)

// documented are the pages about providers, with the blocks of YAML in each.
func documentedProviders(t *testing.T) map[string][]string {
	t.Helper()
	root := must(Root())(t)
	pages := map[string][]string{}
	for _, file := range must(filepath.Glob(filepath.Join(root, "docs", "providers", "*.md")))(t) {
		text := string(must(os.ReadFile(file))(t))
		blocks := []string{}
		for _, rest := range strings.Split(text, "```yaml\n")[1:] {
			block, _, _ := strings.Cut(rest, "```")
			blocks = append(blocks, block)
		}
		pages[filepath.Base(file)] = blocks
	}
	return pages
}

// documentedEnv has something fitting in each variable that the pages name.
func documentedEnv(t *testing.T) func(string) (string, bool) {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	der := must(x509.MarshalPKCS8PrivateKey(key))(t)
	sealing := NewSecrets()["POSTERN_KEY"]
	return func(name string) (string, bool) {
		switch {
		case name == "POSTERN_KEY":
			return sealing, true
		case strings.HasSuffix(name, "_KEY"):
			return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), true
		}
		return strings.Repeat("s", 40), true
	}
}

func TestSettingsInThePagesAboutProvidersRunAsTheyStand(t *testing.T) {
	env, kinds := documentedEnv(t), map[string]bool{}
	for page, blocks := range documentedProviders(t) {
		settings := 0
		for i, block := range blocks {
			if !strings.HasPrefix(block, "providers:") {
				continue
			}
			settings++
			c, err := config.Parse(must(yaml.YAMLToJSON([]byte(block)))(t), env)
			if err != nil {
				t.Errorf("%s, block %d: %v", page, i+1, err)
				continue
			}
			for _, p := range c.Providers {
				kinds[p.Type] = true
			}
			if insecure := c.Insecure(); len(insecure) > 0 {
				t.Errorf("%s, block %d gives up protections: %v", page, i+1, insecure)
			}
		}
		if settings == 0 {
			t.Errorf("%s has no settings", page)
		}
	}
	if want := []string{"auth0", "entra", "github", "gitlab", "google", "keycloak", "oauth2", "oidc", "okta"}; !slices.Equal(slices.Sorted(maps.Keys(kinds)), want) {
		t.Errorf("the pages show %v, want %v", slices.Sorted(maps.Keys(kinds)), want)
	}
}

// documentedCluster is as much of a cluster as is checked here.
type documentedCluster struct {
	Name           string `json:"name"`
	LoadAssignment struct {
		Endpoints []struct {
			LbEndpoints []struct {
				Endpoint struct {
					Address struct {
						SocketAddress struct {
							Address string `json:"address"`
						} `json:"socket_address"`
					} `json:"address"`
				} `json:"endpoint"`
			} `json:"lb_endpoints"`
		} `json:"endpoints"`
	} `json:"load_assignment"`
	TransportSocket struct {
		TypedConfig struct {
			SNI              string `json:"sni"`
			CommonTLSContext struct {
				ValidationContext struct {
					TrustedCA object `json:"trusted_ca"`
					Names     []struct {
						Matcher struct {
							Exact string `json:"exact"`
						} `json:"matcher"`
					} `json:"match_typed_subject_alt_names"`
				} `json:"validation_context"`
			} `json:"common_tls_context"`
		} `json:"typed_config"`
	} `json:"transport_socket"`
}

// flaw is what is missing for a cluster that reaches a host, and nobody else.
func (c *documentedCluster) flaw(host string) string {
	address := c.LoadAssignment.Endpoints[0].LbEndpoints[0].Endpoint.Address.SocketAddress.Address
	tls := c.TransportSocket.TypedConfig
	names := tls.CommonTLSContext.ValidationContext.Names
	switch {
	case address != host:
		return "leads to " + address
	case tls.SNI != host:
		return "asks for " + tls.SNI
	case len(names) != 1 || names[0].Matcher.Exact != host:
		return fmt.Sprintf("verifies %v", names)
	case tls.CommonTLSContext.ValidationContext.TrustedCA == nil:
		return "trusts anybody"
	}
	return ""
}

// documentedClusters are those of a page, and the names of those that its
// settings call hosts by.
func documentedClusters(t *testing.T, blocks []string) (clusters []documentedCluster, named map[string]string) {
	t.Helper()
	env, named := documentedEnv(t), map[string]string{}
	for _, block := range blocks {
		if strings.HasPrefix(block, "clusters:") {
			var shown struct{ Clusters []documentedCluster }
			if err := yaml.Unmarshal([]byte(block), &shown); err != nil {
				t.Error(err)
			}
			clusters = append(clusters, shown.Clusters...)
		}
	}
	for _, block := range slices.Backward(blocks) { // the first settings count most
		c, err := config.Parse(must(yaml.YAMLToJSON([]byte(block)))(t), env)
		if err != nil {
			continue // told elsewhere, or no settings
		}
		for _, p := range c.Providers {
			named[p.Cluster] = must(url.Parse(p.Issuer))(t).Host
			for host, name := range p.Clusters {
				named[name] = host
			}
		}
	}
	return clusters, named
}

func TestClustersInThePagesAboutProvidersReachTheHostsThatTheSettingsCall(t *testing.T) {
	for page, blocks := range documentedProviders(t) {
		t.Run(page, func(t *testing.T) {
			clusters, named := documentedClusters(t, blocks)
			for _, c := range clusters {
				if named[c.Name] == "" {
					t.Errorf("no settings use the cluster %s", c.Name)
				} else if flaw := c.flaw(named[c.Name]); flaw != "" {
					t.Errorf("the cluster %s for %s %s", c.Name, named[c.Name], flaw)
				}
			}
			first := slices.IndexFunc(blocks, func(block string) bool { return strings.HasPrefix(block, "clusters:") })
			if first != 1 {
				return // clusters are shown for what is special in a page
			}
			_, called := documentedClusters(t, blocks[:1])
			for name, host := range called {
				if !slices.ContainsFunc(clusters, func(c documentedCluster) bool { return c.Name == name }) {
					t.Errorf("there is no cluster %s for %s", name, host)
				}
			}
		})
	}
}

func TestEnvoyTakesTheClustersInThePagesAboutProviders(t *testing.T) {
	binary := must(part("setup", "build", "tools", "envoy", EnvoyVersions[0], "envoy"))(t)
	dir := t.TempDir()
	writeClientCertificate(t, dir)
	for page, blocks := range documentedProviders(t) {
		for _, block := range blocks {
			if !strings.HasPrefix(block, "clusters:") {
				continue
			}
			file := filepath.Join(dir, page+".yaml")
			text := "static_resources:\n  " + strings.ReplaceAll(strings.TrimSpace(block), "\n", "\n  ") + "\n"
			text = strings.ReplaceAll(text, "/etc/envoy/client.", dir+"/client.")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(binary, "--mode", "validate", "--log-level", "error", "-c", file).CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", page, err, out)
			}
		}
	}
}

// writeClientCertificate puts into a folder what the pages have in /etc/envoy.
func writeClientCertificate(t *testing.T, dir string) {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	for file, block := range map[string]*pem.Block{
		"client.pem": {Type: "CERTIFICATE", Bytes: must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))(t)},
		"client.key": {Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))(t)},
	} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
