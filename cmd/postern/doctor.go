package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/doctor"
	"github.com/postern-auth/postern/internal/release"
)

// examining is what doctor was asked.
type examining struct {
	admins                               []string
	front, settings, authorities, output string
	timeout                              time.Duration
	strict                               bool
}

func newDoctor() *cobra.Command {
	var k examining
	cmd := &cobra.Command{
		Use:   "doctor [--admin URL]... [--url URL] [-c FILE]",
		Short: "Look at an Envoy that runs, and say what is not well and how to cure it",
		Long: `Doctor looks at an Envoy that runs, and prints what it saw, and of what is not well
the cure. It takes the settings from Envoy, unless --config says which ought to be
in force; then it also says whether they are.

With --admin it asks Envoy's admin interface: whether the filter is there and its
settings are valid, whether an update was refused, whether the module runs or has
failed, whether the settings' clusters are there, have hosts that are well, and
verify whom they are connected to, what Postern says of its providers, who is
believed about addresses, what logs write, and who else may write into the shared
memory. Of several replicas, give each.

With --url it does what a browser would: it opens the front, begins a login at each
provider, and looks whether the provider takes the address to which it is to send
people back. It compares clocks, sends cookies of the size that a session may
have, looks whether bodies arrive (by a logout token that is none, which leaves a
logout_refused event in the log), and whether browsers would keep the cookies.

It asks the providers itself, too, for their metadata and keys. It never signs
anybody in, sends no credentials, changes nothing, and prints no secret and no
cookie. In Istio, forward the admin interface's port first:

  kubectl -n istio-ingress port-forward deploy/istio-ingressgateway 15000

docs/doctor.md lists all that it can find.

With -o json it prints one object with all findings.

It exits with 0 if nothing is wrong; with 1 if something is an error, or, with
--strict, a warning; and with 2 if it was called wrongly or a file cannot be read.`,
		Example: `  postern doctor --admin http://127.0.0.1:9901 --url https://app.example.com/
  postern doctor --admin http://127.0.0.1:15000 -c settings.yaml --output json
  postern doctor --url https://localhost:10443/ --ca ca.pem`,
		Args: usageArgs(noArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return k.run(cmd) },
	}
	settingsFlag(cmd, &k.settings)
	flags := cmd.Flags()
	flags.StringArrayVar(&k.admins, "admin", nil, "address of Envoy's admin interface; may be given again, for other replicas")
	flags.StringVar(&k.front, "url", "", "address of the front, as people type it")
	flags.StringVar(&k.authorities, "ca", "", "file of further certificate authorities to accept, as PEM")
	flags.DurationVar(&k.timeout, "timeout", 10*time.Second, "of one request; Postern itself waits five seconds for a provider")
	flags.BoolVar(&k.strict, "strict", false, "fail where there is a warning")
	outputFlag(cmd, &k.output)
	_ = cmd.MarkFlagFilename("ca", "pem", "crt")
	return cmd
}

// examined is what doctor found.
type examined struct {
	Well     bool             `json:"well"`
	Findings []doctor.Finding `json:"findings"`
}

func (k *examining) run(cmd *cobra.Command) error {
	o, err := k.options(cmd)
	if err != nil {
		return err
	}
	found := examined{Findings: doctor.Run(cmd.Context(), *o)}
	worst := doctor.Worst(found.Findings)
	found.Well = worst != doctor.Error && !(k.strict && worst == doctor.Warning)
	if k.output == "json" {
		if err := writeJSON(cmd, found); err != nil {
			return err
		}
	} else {
		writeExamined(newPaper(cmd.OutOrStdout()), found.Findings)
	}
	if !found.Well {
		return errFailed
	}
	return nil
}

func (k *examining) options(cmd *cobra.Command) (*doctor.Options, error) {
	if err := checkOutput(k.output); err != nil {
		return nil, err
	}
	if len(k.admins) == 0 && k.front == "" {
		return nil, usageError{fmt.Errorf("what is to be looked at? --admin or --url, or both; see %s --help", cmd.CommandPath())}
	}
	if k.timeout <= 0 {
		return nil, usageError{errors.New("--timeout must be longer than nothing")}
	}
	for _, address := range append([]string{k.front}, k.admins...) {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil) {
			return nil, usageError{fmt.Errorf("%s is not an address such as http://127.0.0.1:9901", quoted(address))}
		}
	}
	client, err := k.client()
	if err != nil {
		return nil, usageError{err}
	}
	o := &doctor.Options{Admins: k.admins, URL: k.front, Version: release.Version, Client: client, Timeout: k.timeout, Env: standIns}
	if k.settings == "" {
		return o, nil
	}
	s, err := readSettings(cmd, k.settings, false)
	if err != nil {
		return nil, refused(cmd, k.output, err)
	}
	o.Settings = s.Settings
	return o, nil
}

// client is one that follows no redirect, and verifies certificates.
func (k *examining) client() (*http.Client, error) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	if k.authorities != "" {
		pem, err := readFile(k.authorities, "the authorities")
		if err != nil {
			return nil, err
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", k.authorities)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// writeExamined prints what was seen: what is well in a line each, then the rest.
func writeExamined(p *paper, all []doctor.Finding) {
	first := true
	for _, f := range all {
		if f.Severity != doctor.OK {
			continue
		}
		if first {
			p.line("%s", p.in(bold, "Well"))
			first = false
		}
		about := ""
		if f.Path != "" {
			about = shown(f.Path) + ": "
		}
		p.line("  %s %s%s", p.in(green, "✓"), about, printable(f.Message))
	}
	writeFindings(p, all)
	p.line("")
	switch doctor.Worst(all) {
	case doctor.Error:
		p.line("%s", p.in(red, "Something is wrong."))
	case doctor.Warning:
		p.line("%s", p.in(yellow, "It works; see the warnings."))
	default:
		p.line("%s", p.in(green, "Nothing is wrong."))
	}
}
