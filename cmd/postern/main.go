// Command postern is what one needs beside postern.wasm: it runs the demo,
// checks settings before a proxy loads them and shows what becomes of a request
// under them, makes configurations of them, looks at what runs, opens what
// browsers have, and brings the module to a registry.
//
// It exits with 0 when all is well, with 1 when what it looked at is not, and
// with 2 when it was called wrongly or a file cannot be read or written.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/spelling"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

// usageError marks a command line that cannot be understood.
type usageError struct{ error }

// errFailed ends a command that has already said what is wrong.
var errFailed = errors.New("failed")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, args []string, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(append([]string{}, args...)) // of nil, this program's own would be taken
	root.SetOut(out)
	root.SetErr(errOut)
	cmd, err := root.ExecuteContextC(ctx)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFailed):
		return exitFailed
	}
	if asJSON(cmd) {
		_ = writeJSON(cmd, failure{config.Problems{{Message: err.Error()}}})
	} else {
		fmt.Fprintf(errOut, "postern: %v\n", err)
	}
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// failure is what is written in JSON where a command came to nothing.
type failure struct {
	Problems config.Problems `json:"problems"`
}

// asJSON reports whether a command was asked to write JSON.
func asJSON(cmd *cobra.Command) bool {
	f := cmd.Flags().Lookup("output")
	return f != nil && f.Value.String() == "json"
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "postern",
		Short: "OpenID Connect sign-in inside Envoy",
		Long: `Postern signs people in, keeps their session and tells the application who is
calling, all inside Envoy, as one WebAssembly file. This command helps to try it,
to write and check its settings, to bring it to where it runs, and to look at it
there.

Commands exit with 0 if all is well, with 1 if what they looked at is not, and with
2 if they were called wrongly or a file cannot be read or written. Colours are for
terminals, and not with NO_COLOR set. With --output json, where a command has it,
standard output is one JSON value, errors included, as {"problems": […]}.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          usageArgs(knownCommand),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w%s; see %s --help", err, nearestFlag(cmd, err), cmd.CommandPath())}
	})
	root.AddCommand(
		newCheck(),
		newDemo(),
		newDoctor(),
		newEnvoy(),
		newExplain(),
		newInspect(),
		newKeygen(),
		newMigrate(),
		newPages(),
		newPush(),
		newSchema(),
		newRender(),
		newVersion(),
	)
	group(root)
	complete(root)
	return root
}

// groups are what commands are for, in the order of the help.
var groups = []struct {
	title    string
	commands []string
}{
	{"Try it:", []string{"demo", "envoy", "pages"}},
	{"Write and check settings:", []string{"check", "explain", "keygen", "migrate", "schema"}},
	{"Bring it to where it runs:", []string{"push", "render"}},
	{"Look at what runs:", []string{"doctor", "inspect"}},
}

// group puts commands under what they are for.
func group(root *cobra.Command) {
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for _, cmd := range root.Commands() {
			if slices.Contains(g.commands, cmd.Name()) {
				cmd.GroupID = g.title
			}
		}
	}
}

// knownCommand refuses what is no command, and names the one that was meant.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return fmt.Errorf("unknown command %q%s", args[0], didYouMean(spelling.Nearest(args[0], names)))
}

// nearestFlag names the flag that was meant where there is none of that name.
func nearestFlag(cmd *cobra.Command, err error) string {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return ""
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if name := spelling.Nearest(unknown.GetSpecifiedName(), names); name != "" {
		return didYouMean("--" + name)
	}
	return ""
}

func didYouMean(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", name)
}

// noArgs refuses arguments to a command that takes none.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("takes no argument, and was given %q", shown(args[0]))
	}
	return nil
}

// usageArgs makes a check of arguments report wrong usage.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
		}
		return nil
	}
}
