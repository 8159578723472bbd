package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/demo"
)

func newEnvoy() *cobra.Command {
	return &cobra.Command{
		Use:   "envoy",
		Short: "Print the path of the Envoy that the demo would run",
		Long: `Envoy looks for an Envoy that can run postern.wasm: at $ENVOY, on the PATH, in
func-e's downloads (it downloads one if there is none), and in
` + demo.WheelEnvoy + `. It prints the first that works, and on
standard error why others were passed over.

It exits with 0 if there is one, with 1 if there is none, and with 2 if it was
called wrongly.`,
		Args: usageArgs(noArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			envoy, err := demo.FindEnvoy(cmd.Context(), func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) })
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), envoy.Path)
			return nil
		},
	}
}
