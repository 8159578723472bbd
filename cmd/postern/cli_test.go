package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/doctest"
)

// ours are all commands that one can run, but for cobra's own.
func ours(root *cobra.Command) (all []*cobra.Command) {
	for _, c := range root.Commands() {
		if c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		if c.Runnable() && !c.HasSubCommands() {
			all = append(all, c)
		}
		all = append(all, ours(c)...)
	}
	return all
}

// reference is docs/cli.md.
func reference(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# The command line\n\n<!-- Written by `go test ./cmd/postern -run TestTheReferenceOfCommands -update`, of the commands' own help. Change that. -->\n\n")
	fmt.Fprintf(&b, "%s\n\n`make cli` builds it, as `build/postern`.\n\n| command | |\n|---|---|\n", paragraphs(root.Long))
	for _, c := range ours(root) {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", c.CommandPath(), strings.ReplaceAll(c.CommandPath(), " ", "-"), c.Short)
	}
	b.WriteString(`
## Completion

` + "`postern completion bash`" + ` prints a script for bash, and likewise for zsh, fish and powershell;
` + "`postern help completion bash`" + ` says where it goes. It completes commands, flags, words
and the names of files.

How the image is used is in [image.md](image.md), and every setting in
[configuration.md](configuration.md).
`)
	for _, c := range ours(root) {
		fmt.Fprintf(&b, "\n## %s\n\n```text\n%s\n```\n\n```text\nUsage:\n  %s\n", c.CommandPath(), strings.TrimSpace(c.Long), c.UseLine())
		if c.Example != "" {
			fmt.Fprintf(&b, "\nExamples:\n%s\n", c.Example)
		}
		fmt.Fprintf(&b, "\nFlags:\n%s```\n", c.LocalFlags().FlagUsages())
	}
	return b.String()
}

// paragraphs are those of a help text, without its line breaks.
func paragraphs(text string) string {
	all := strings.Split(text, "\n\n")
	for i := range all {
		all[i] = strings.Join(strings.Fields(all[i]), " ")
	}
	return strings.Join(all, "\n\n")
}

func TestTheReferenceOfCommandsIsCurrent(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "cli.md")
	want := reference(newRoot())
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("go test ./cmd/postern -run TestTheReferenceOfCommands -update writes it anew (-wanted +found):\n%s", diff)
	}
}

func TestEveryCommandSaysWhatItExitsWith(t *testing.T) {
	for _, c := range ours(newRoot()) {
		if !strings.Contains(c.Long, "exits with 0") && (c.Parent() == c.Root() || !strings.Contains(c.Parent().Long, "exits with 0")) {
			t.Errorf("%s does not say what it exits with", c.CommandPath())
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: %q", c.CommandPath(), c.Short)
		}
		for line := range strings.Lines(c.Long) {
			if width := len([]rune(strings.TrimRight(line, "\n"))); width > 100 {
				t.Errorf("%s: a line of %d characters: %s", c.CommandPath(), width, line)
			}
		}
	}
}

func TestEveryCommandHasAPlaceInTheHelp(t *testing.T) {
	for _, c := range newRoot().Commands() {
		if c.GroupID == "" && c.Name() != "version" && c.Name() != "help" && c.Name() != "completion" {
			t.Errorf("%s is in no group", c.Name())
		}
	}
}

func TestEveryExampleIsUnderstood(t *testing.T) {
	for _, c := range ours(newRoot()) {
		b := doctest.Block{Page: c.CommandPath(), Kind: "sh", Text: c.Example}
		for _, example := range b.Commands() {
			if !isOurs(example) {
				continue
			}
			args := example.Args[1:]
			if i := slices.IndexFunc(args, func(word string) bool { return word == "<" || word == ">" }); i >= 0 {
				args = args[:i]
			}
			if err := understood(args, false); err != nil {
				t.Errorf("%s: %s: %v", c.CommandPath(), example.Text, err)
			}
		}
	}
}

func TestWhatReportsHasJSON(t *testing.T) {
	for _, name := range []string{"check", "doctor", "explain", "inspect", "push", "version"} {
		cmd, _, err := newRoot().Find([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		if f := cmd.Flags().Lookup("output"); f == nil || f.DefValue != "text" || f.Shorthand != "o" {
			t.Errorf("%s has no --output text|json", name)
		}
	}
}

// proposals are what a shell proposes for a command line.
func proposals(t *testing.T, args ...string) string {
	t.Helper()
	_, out, _ := run(t, "", append([]string{"__complete"}, args...)...)
	return out
}

func TestShellsProposeWhatFits(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"commands":                {[]string{"ch"}, "check\t"},
		"flags":                   {[]string{"check", "--str"}, "--strict\t"},
		"words":                   {[]string{"explain", "--as", ""}, "session\ntoken\n"},
		"forms of output":         {[]string{"push", "--output", ""}, "text\njson\n"},
		"files of settings":       {[]string{"check", "--config", ""}, "yaml\nyml\njson\n:8"},
		"modules":                 {[]string{"push", "--module", ""}, "wasm\n:8"},
		"where an image goes":     {[]string{"push", ""}, "oci:\noci-archive:\n"},
		"methods":                 {[]string{"explain", ""}, "GET\n"},
		"settings to show":        {[]string{"pages", ""}, "yaml\nyml\njson\n:8"},
		"languages":               {[]string{"pages", "--texts", ""}, "de\n"},
		"folders":                 {[]string{"pages", "--output", ""}, ":16"},
		"any file":                {[]string{"inspect", "--cookie", ""}, ":0"},
		"nothing for an argument": {[]string{"version", ""}, ":4"},
		"nothing for a time":      {[]string{"inspect", "--at", ""}, ":4"},
		"shells":                  {[]string{"completion", ""}, "zsh"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := proposals(t, tc.args...); !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestShellsHaveAScript(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, out, errOut := run(t, "", "completion", shell); code != 0 || len(out) < 1000 {
			t.Errorf("%s: exit %d, %d bytes: %s", shell, code, len(out), errOut)
		}
	}
}
