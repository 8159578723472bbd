package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/migrate"
)

// migrating is what migrate was asked.
type migrating struct {
	output, file string
	hosts        []string
	strict       bool
}

func newMigrate() *cobra.Command {
	var k migrating
	cmd := &cobra.Command{
		Use:   "migrate SYSTEM [FILE]... [-- ARGUMENT...]",
		Short: "Make settings of another gate's",
		Long: `Migrate reads the settings of another gate and writes Postern's, with a report of
what became of each option: taken over, different, to be done by hand, or not
needed any more. The systems are

  oauth2-proxy   its configuration file, alpha configuration, environment files,
                 Deployments, Compose files, values of its Helm chart, command
                 lines, and the list of addresses that it lets in
  envoy-oauth2   Envoy's oauth2 filter in a bootstrap, an EnvoyFilter or by itself,
                 with jwt_authn beside it; Envoy Gateway's SecurityPolicy
  authservice    its JSON, or the ConfigMap with it, and Istio's objects around it
  easyauth       the values of its Helm chart, and the ingresses that use it

Give all files that belong together; - is standard input. Arguments behind -- are
those of oauth2-proxy itself. docs/migrate says of every option what becomes of it,
and how to change over without an outage.

Nothing that was closed is open afterwards: what cannot be taken over is closed, and
the report says what to do. Secrets are not copied: the settings name variables.

The settings go to standard output and the report to standard error; with --out the
settings go into the file and the report to standard output. With --output json there
is one object on standard output with both.

It exits with 0 if settings were made; with 1 if there are none to be made of what
was given, or, with --strict, if anything is left to do; and with 2 if a file cannot be
read or written, or it was called wrongly.`,
		Example: `  postern migrate oauth2-proxy oauth2-proxy.cfg emails.txt -o settings.yaml
  postern migrate oauth2-proxy deployment.yaml --host app.example.com > settings.yaml
  postern migrate oauth2-proxy -- --provider=oidc --email-domain=example.com
  postern migrate easyauth values.yaml ingress.yaml --output json`,
		Args:      usageArgs(cobra.MinimumNArgs(1)),
		ValidArgs: migrate.Systems,
		RunE:      func(cmd *cobra.Command, args []string) error { return k.run(cmd, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&k.output, "output", "settings", "settings or json")
	flags.StringVarP(&k.file, "out", "o", "", "write the settings to a file")
	flags.StringArrayVar(&k.hosts, "host", nil, "a host that the gate is to serve; may be given again")
	flags.BoolVar(&k.strict, "strict", false, "fail where anything is left to do")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"settings", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (k *migrating) run(cmd *cobra.Command, args []string) error {
	if k.output != "settings" && k.output != "json" {
		return usageError{fmt.Errorf("--output %q is neither settings nor json", k.output)}
	}
	in, system, err := k.read(cmd, args)
	if err != nil {
		return usageError{err}
	}
	result, err := migrate.From(system, in)
	if err != nil {
		return refused(cmd, k.output, migrationProblems(system, err))
	}
	if err := k.write(cmd, system, result); err != nil {
		return err
	}
	if k.strict && len(result.Report.Of(migrate.ToDo)) > 0 {
		return errFailed
	}
	return nil
}

// migrationProblems says where nothing was found what was looked for.
func migrationProblems(system string, err error) error {
	text := strings.TrimPrefix(err.Error(), "migrate: ")
	if errors.Is(err, migrate.ErrNothing) {
		text = "no settings of " + system + " are in what was given; postern migrate --help says which files are read"
	}
	return config.Problems{{Message: text}}
}

// read reads all files, and divides the command line at its dashes.
func (k *migrating) read(cmd *cobra.Command, args []string) (in migrate.Input, system string, err error) {
	system, names := args[0], args[1:]
	if dash := cmd.ArgsLenAtDash(); dash == 0 {
		return in, "", errors.New("which system? " + strings.Join(migrate.Systems, ", "))
	} else if dash > 0 {
		names, in.Args = args[1:dash], args[dash:]
	}
	known := false
	for _, s := range migrate.Systems {
		known = known || s == system
	}
	switch {
	case !known:
		return in, "", fmt.Errorf("%q is none of %s", system, strings.Join(migrate.Systems, ", "))
	case in.Args != nil && system != "oauth2-proxy":
		return in, "", errors.New("arguments behind -- are those of oauth2-proxy alone")
	case len(names) == 0 && len(in.Args) == 0:
		return in, "", fmt.Errorf("which files? see %s --help", cmd.CommandPath())
	}
	in.Hosts = k.hosts
	for _, name := range names {
		f, err := fileToMigrate(cmd, name)
		if err != nil {
			return in, "", err
		}
		in.Files = append(in.Files, f)
	}
	return in, system, nil
}

// maxMigrated bounds what is read of one file.
const maxMigrated = 4 << 20

func fileToMigrate(cmd *cobra.Command, name string) (migrate.File, error) {
	text, err := readInput(cmd, name, "the contents of "+called(name), maxMigrated)
	return migrate.File{Name: filepath.ToSlash(name), Text: text}, err
}

// migrated is settings and report as JSON.
type migrated struct {
	Settings *migrate.Map   `json:"settings"`
	Report   migrate.Report `json:"report"`
}

func (k *migrating) write(cmd *cobra.Command, system string, r *migrate.Result) error {
	if k.output == "json" && k.file == "" {
		return writeJSON(cmd, migrated{r.Settings, r.Report})
	}
	text, err := r.Settings.YAML()
	if err != nil {
		return err
	}
	text = append([]byte("# Made of the settings of "+system+" by postern migrate. Look at what says TO DO,\n# and hold it against your expectations: postern check -c FILE -t TABLE\n"), text...)
	if k.file == "" {
		if _, err := cmd.OutOrStdout().Write(text); err != nil {
			return err
		}
		writeReport(newPaper(cmd.ErrOrStderr()), r.Report)
		return nil
	}
	if err := os.WriteFile(k.file, text, 0o644); err != nil {
		return usageError{err}
	}
	if k.output == "json" {
		return writeJSON(cmd, migrated{r.Settings, r.Report})
	}
	p := newPaper(cmd.OutOrStdout())
	writeReport(p, r.Report)
	p.line("\nThe settings are in %s.", k.file)
	return nil
}

// reportHeadings are what reports are divided by.
var reportHeadings = map[migrate.Kind]struct{ title, colour string }{
	migrate.ToDo:      {"To do", red},
	migrate.Differs:   {"Differs", yellow},
	migrate.Taken:     {"Taken over", green},
	migrate.NotNeeded: {"Not needed any more", faint},
}

// writeReport prints what became of each option, what is to be done last, where
// it is read first.
func writeReport(p *paper, report migrate.Report) {
	for _, kind := range []migrate.Kind{migrate.NotNeeded, migrate.Taken, migrate.Differs, migrate.ToDo} {
		lines := report.Of(kind)
		if len(lines) == 0 {
			continue
		}
		p.heading(reportHeadings[kind].title)
		for _, l := range lines {
			p.line("  %s", p.in(reportHeadings[kind].colour, printable(l.Option))+reported(l))
		}
	}
}

// reported is what a report says of an option.
func reported(l migrate.Line) (text string) {
	if l.Becomes != "" {
		text = " → " + printable(l.Becomes)
	}
	if l.Text != "" {
		text += ": " + printable(l.Text)
	}
	return text
}
