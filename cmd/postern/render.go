package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/postern-auth/postern/internal/manifest"
	"github.com/postern-auth/postern/internal/render"
)

// rendering is what render was asked.
type rendering struct {
	settings, output string
	keepSecrets      bool
	directory        string // of a kustomization; "" for one file
	envoy            render.EnvoyOptions
	istio            render.IstioOptions
}

func newRender() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "render envoy|istio",
		Short: "Make a whole configuration for Envoy or Istio of settings",
		Long: `Render makes of Postern's settings what a proxy needs to run with them, and
prints it: for Envoy a bootstrap, for Istio manifests. Each host that the settings
reach gets a cluster whose certificate is verified; those that the settings left
out are filled in. What one has to know or to do beside is printed on standard
error.

A secret that is spelled out in the settings is left out, and a variable takes its
place.`,
		Args: usageArgs(knownCommand),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError{fmt.Errorf("for what? envoy or istio; see %s --help", cmd.CommandPath())}
		},
	}
	cmd.AddCommand(newRenderEnvoy(), newRenderIstio())
	return cmd
}

// renderExits is what both say of their exit codes.
const renderExits = `

With -o json it prints one object with the files and the notes.

It exits with 0 if all is well; with 1 if the settings are not valid, or cannot be
rendered as asked; and with 2 if a file cannot be read or written, or it was
called wrongly.`

func newRenderEnvoy() *cobra.Command {
	var k rendering
	o := &k.envoy
	cmd := &cobra.Command{
		Use:   "envoy -c FILE [--upstream ADDRESS]...",
		Short: "Make a bootstrap for Envoy",
		Long: `Envoy prints a bootstrap that runs as it stands: listeners, the filter with the
settings in the words of the file, routes to the applications, clusters for every
host that the settings reach, and what the metrics need. The settings may be a
file of their own, or stand in a bootstrap, a WasmPlugin and the like.

Without --tls-cert the listener speaks http, for a proxy in front that speaks
https; --hops says how many there are. With --sidecar it listens on loopback,
behind one proxy, before one application. Settings with ` + "`outbound`" + ` get a second
listener, to which the application sends its calls.` + renderExits,
		Example: `  postern render envoy -c settings.yaml --upstream 127.0.0.1:3000 > envoy.yaml
  postern render envoy -c settings.yaml --listen 0.0.0.0:443 --tls-cert tls.crt --tls-key tls.key --http3 \
    --upstream shop.example.com=shop:8080 --upstream wiki.example.com=https://wiki.internal
  postern render envoy -c settings.yaml --sidecar --upstream 127.0.0.1:3000`,
		Args: usageArgs(noArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return k.run(cmd, k.forEnvoy) },
	}
	k.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.Listen, "listen", "", "where it listens (default 0.0.0.0:8080, and 127.0.0.1:8080 with --sidecar)")
	flags.StringArrayVar(&o.Upstreams, "upstream", nil, "[HOST=][https://]HOST:PORT of the application, or of that for a host; may be given again (default 127.0.0.1:3000)")
	flags.StringVar(&o.Module, "module", render.DefaultModule, "the file postern.wasm, as Envoy finds it")
	flags.StringVar(&o.Admin, "admin", render.DefaultAdmin, "where Envoy's admin interface listens")
	flags.StringVar(&o.CA, "ca", render.DefaultCA, "the file of authorities that certificates are verified by")
	flags.StringVar(&o.Certificate, "tls-cert", "", "the file of the listener's certificate")
	flags.StringVar(&o.Key, "tls-key", "", "the file of its key")
	flags.StringVar(&o.PeerCA, "peer-ca", "", "the file of authorities that callers' certificates are verified by, if they show one")
	flags.StringVar(&o.ClientCertificate, "client-cert", "", "the file of the certificate that providers are shown, where the settings want that")
	flags.StringVar(&o.ClientKey, "client-key", "", "the file of its key")
	flags.StringVar(&o.HTTPRedirect, "http-redirect", "", "where a further listener sends browsers on to https")
	flags.StringVar(&o.Outbound, "outbound-listen", "", "where the application sends its calls (default 127.0.0.1:15001)")
	markFiles(cmd, "module", "ca", "tls-cert", "tls-key", "peer-ca", "client-cert", "client-key")
	flags.StringArrayVar(&o.Connect, "connect-to", nil, "HOST=HOST:PORT where a host of the settings is in truth; may be given again")
	flags.StringVar(&o.Webdis, "webdis", "", "where Webdis is (default 127.0.0.1:7379)")
	flags.IntVar(&o.Hops, "hops", 0, "how many proxies are in front (default: trusted_peers.hops of the settings, else 0, and 1 with --sidecar)")
	flags.BoolVar(&o.Sidecar, "sidecar", false, "beside one application, behind a proxy")
	flags.BoolVar(&o.HTTP3, "http3", false, "speak HTTP/3 too")
	return cmd
}

func newRenderIstio() *cobra.Command {
	var k rendering
	o := &k.istio
	cmd := &cobra.Command{
		Use:   "istio -c FILE (--target-ref KIND/NAME | --selector KEY=VALUE)",
		Short: "Make manifests for Istio",
		Long: `Istio prints a WasmPlugin with the settings in the words of the file, a
ServiceEntry and a DestinationRule for each host that they reach, and what brings
variables and labels to the proxies. Clusters get the names that they have in
Istio. Where a setting needs request bodies (keep_forms, form_post), or with
--bodies, there is an EnvoyFilter in place of the WasmPlugin, which cannot let
them through.

No Secret is among them, lest one is overwritten with nothing; the file says how
it is made. With --kustomize it writes a directory with a kustomization.` + renderExits,
		Example: `  postern render istio -c settings.yaml --target-ref Gateway/shop -n istio-ingress --image oci://registry.example.com/postern@sha256:… | kubectl apply -f -
  postern render istio -c settings.yaml --selector app=shop --sidecar --kustomize deploy`,
		Args: usageArgs(noArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return k.run(cmd, k.forIstio) },
	}
	k.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.Name, "name", "postern", "how the objects are called")
	flags.StringVarP(&o.Namespace, "namespace", "n", "", "the namespace of the objects (default: kubectl's)")
	flags.StringVar(&o.Target, "target-ref", "", "what it is attached to: Gateway/NAME, Service/NAME, …")
	flags.StringArrayVar(&o.Selector, "selector", nil, "a label of the proxies' pods; may be given again")
	flags.BoolVar(&o.Sidecar, "sidecar", false, "the selected pods are applications with a sidecar, and not gateways")
	flags.StringVar(&o.Image, "image", "", "the module's image: oci://NAME@sha256:DIGEST")
	flags.StringVar(&o.Secret, "secret", "", "the Secret that has the variables (default: as --name)")
	flags.StringVar(&o.Log, "access-log", "postern", "the mesh's access log provider; - for none")
	flags.StringVar(&o.CA, "ca", render.DefaultCA, "the file of authorities, in the proxy")
	flags.StringVar(&o.ClientCertificate, "client-cert", "", "the file of the certificate that providers are shown, in the proxy, where the settings want that")
	flags.StringVar(&o.ClientKey, "client-key", "", "the file of its key")
	flags.BoolVar(&o.Bodies, "bodies", false, "let request bodies through, as back-channel logout wants")
	flags.StringVar(&k.directory, "kustomize", "", "the directory to write a kustomization to, which is made if there is none")
	_ = cmd.MarkFlagDirname("kustomize")
	markFiles(cmd, "ca", "client-cert", "client-key")
	return cmd
}

// flags are those that both have.
func (k *rendering) flags(cmd *cobra.Command) {
	settingsFlag(cmd, &k.settings)
	outputFlag(cmd, &k.output)
	cmd.Flags().BoolVar(&k.keepSecrets, "insecure-inline-secrets", false, "leave secrets that are spelled out in the settings there")
}

func (k *rendering) run(cmd *cobra.Command, make func(text []byte, r render.Reading) (*render.Output, error)) error {
	if err := checkOutput(k.output); err != nil {
		return err
	}
	text, err := readBounded(cmd, k.settings)
	if err != nil {
		return usageError{err}
	}
	k.envoy.Command = commandLine(cmd)
	k.istio.Command = k.envoy.Command
	k.istio.Kustomize = k.directory != ""
	out, err := make(text, render.Reading{Lookup: standInsWithin(text), KeepSecrets: k.keepSecrets})
	var option render.OptionError
	switch {
	case errors.As(err, &option):
		return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	case err != nil:
		return refused(cmd, k.output, err)
	}
	return k.write(cmd, out)
}

func (k *rendering) forEnvoy(text []byte, r render.Reading) (*render.Output, error) {
	s, err := render.ReadForEnvoy(text, r)
	if err != nil {
		return nil, err
	}
	return render.Envoy(s, k.envoy)
}

func (k *rendering) forIstio(text []byte, r render.Reading) (*render.Output, error) {
	s, err := render.ReadForIstio(text, r)
	if err != nil {
		return nil, err
	}
	return render.Istio(s, k.istio)
}

// standInsWithin are those for settings wherever they stand in a text.
func standInsWithin(text []byte) func(name string) (string, bool) {
	found, err := manifest.Find(text)
	if err != nil || len(found) == 0 {
		return standIns(nil)
	}
	return standIns(found[0].Settings)
}

// rendered is what was made, as JSON.
type rendered struct {
	Files []renderedFile `json:"files"`
	Notes []string       `json:"notes"`
}

type renderedFile struct {
	Name string `json:"name,omitempty"`
	Text string `json:"text"`
}

func (k *rendering) write(cmd *cobra.Command, out *render.Output) error {
	if k.directory != "" {
		if err := writeFiles(k.directory, out.Files); err != nil {
			return usageError{err}
		}
	}
	if k.output == "json" {
		shown := rendered{Notes: append([]string{}, out.Notes...)}
		for _, f := range out.Files {
			shown.Files = append(shown.Files, renderedFile{f.Name, string(f.Text)})
		}
		return writeJSON(cmd, shown)
	}
	p := newPaper(cmd.ErrOrStderr())
	for _, note := range out.Notes {
		p.line("%s %s", p.in(yellow, "note:"), shown(note))
	}
	if k.directory != "" {
		newPaper(cmd.OutOrStdout()).line("%d files: look at %s", len(out.Files), filepath.Join(k.directory, "kustomization.yaml"))
		return nil
	}
	_, err := cmd.OutOrStdout().Write(out.Files[0].Text)
	return err
}

func writeFiles(directory string, files []render.File) error {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(directory, f.Name), f.Text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// harmless are words that no shell reads otherwise.
var harmless = regexp.MustCompile(`^[-A-Za-z0-9_./:=@,+%]+$`)

// commandLine is how a command was called, with its flags in order of their names.
func commandLine(cmd *cobra.Command) string {
	words := []string{cmd.CommandPath()}
	add := func(word string) {
		if word = shown(word); !harmless.MatchString(word) {
			word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		words = append(words, word)
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, value := range values {
			switch {
			case f.Name == "output":
			case f.Value.Type() == "bool":
				add("--" + f.Name)
			default:
				add("--" + f.Name)
				add(value)
			}
		}
	})
	return strings.Join(words, " ")
}
