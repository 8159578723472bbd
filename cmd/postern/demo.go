package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/demo"
)

func newDemo() *cobra.Command {
	var o demo.Options
	var check bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run Postern here, with a provider, two people and an application",
		Long: `Demo runs an OpenID provider with two people, a sample application that shows
what it is told, and a proxy with postern.wasm in front of it, all on loopback
addresses. The proxy is Envoy, looked for at $ENVOY, on the PATH, in func-e's
downloads and in ` + demo.WheelEnvoy + `; the embedded host; or none, for an
Envoy of your own, which runs with envoy/envoy.yaml or another of the
configurations there. Some of these want --url, which is what browsers call
it, and a provider that speaks TLS (--idp-cert, --idp-key).

With --check it walks the journey as a browser would instead: it signs in, tries
what an attacker would try, signs out, and prints what it checked.

It exits with 0 when it is ended, or has checked all; with 1 if it cannot run, or a
step of the journey fails; and with 2 if it was called wrongly.`,
		Example: "  postern demo\n  postern demo --partner\n  postern demo --host wazero\n  postern demo --check\n  postern demo --host none --url https://localhost:10443",
		Args:    usageArgs(noArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(demo.Hosts, o.Host) {
				return usageError{fmt.Errorf("--host %q is none of %s", o.Host, strings.Join(demo.Hosts, ", "))}
			}
			if check && o.Host == "none" {
				return usageError{errors.New("--check needs a proxy: --host envoy or --host wazero")}
			}
			if o.Partner && (check || o.Host == "none") {
				return usageError{errors.New("--partner is for a demo to look at: neither with --check nor with --host none")}
			}
			if o.Host != "none" && (o.URL != "" || o.IdPCertificate != "" || o.IdPKey != "") {
				return usageError{errors.New("--url, --idp-cert and --idp-key are for --host none")}
			}
			if (o.IdPCertificate == "") != (o.IdPKey == "") {
				return usageError{errors.New("--idp-cert and --idp-key go together")}
			}
			o.Out, o.Log = cmd.OutOrStdout(), cmd.ErrOrStderr()
			if !check {
				return demo.Run(cmd.Context(), o)
			}
			ok, err := demo.Check(cmd.Context(), o)
			if err == nil && !ok {
				return errFailed
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Host, "host", "envoy", "what runs the module: "+strings.Join(demo.Hosts, ", "))
	flags.BoolVar(&check, "check", false, "walk the journey, print each step, and end")
	flags.BoolVar(&o.Partner, "partner", false, "add a second provider, so that people choose on the sign-in page")
	flags.StringVar(&o.Listen, "listen", "127.0.0.1:10000", "loopback address of the proxy")
	flags.StringVar(&o.IdP, "idp", "127.0.0.1:10001", "loopback address of the provider")
	flags.StringVar(&o.App, "app", "127.0.0.1:10002", "loopback address of the application")
	flags.StringVar(&o.URL, "url", "", "with --host none: what browsers call the proxy, if not http://localhost and its port")
	flags.StringVar(&o.IdPCertificate, "idp-cert", "", "with --host none: the provider's certificate, for localhost, as PEM; it then speaks TLS")
	flags.StringVar(&o.IdPKey, "idp-key", "", "with --host none: the key of --idp-cert, as PEM")
	flags.StringVar(&o.Module, "module", "build/postern.wasm", "the module to run; --host none needs none")
	_ = cmd.RegisterFlagCompletionFunc("host", cobra.FixedCompletions(demo.Hosts, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.MarkFlagFilename("module", "wasm")
	_ = cmd.MarkFlagFilename("idp-cert", "pem")
	_ = cmd.MarkFlagFilename("idp-key", "pem", "key")
	return cmd
}
