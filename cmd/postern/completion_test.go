package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func TestAFlagThatSaysItIsAFileIsCompletedAsOne(t *testing.T) {
	said := 0
	var look func(*cobra.Command)
	look = func(cmd *cobra.Command) {
		for _, c := range cmd.Commands() {
			look(c)
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.NoOptDefVal != "" || !strings.Contains(f.Usage, "the file") && !strings.Contains(f.Usage, "directory") {
				return
			}
			said++
			if !namesFile(f) {
				t.Errorf("%s --%s: %q, and no files are proposed", cmd.CommandPath(), f.Name, f.Usage)
			}
		})
	}
	look(newRoot())
	if said < 10 {
		t.Errorf("%d flags say that they are files: the test looks at the wrong words", said)
	}
}
