package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/docs"
)

func newSchema() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of settings, for editors",
		Long: `Schema prints the JSON Schema (draft 2020-12) of Postern's settings, by which
editors complete and explain settings and mark what is wrong in them. It says less
than postern check: what one setting demands of another is not in it.

With --output it writes it to a file. A file of settings names it in its first line,
by a path beside it or by an address:

  # yaml-language-server: $schema=postern.schema.json

It exits with 0 if all is well, and with 2 if the file cannot be written or it was
called wrongly.`,
		Example: `  postern schema > postern.schema.json
  postern schema -o postern.schema.json`,
		Args: usageArgs(noArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				_, err := cmd.OutOrStdout().Write(docs.Schema)
				return err
			}
			if err := os.WriteFile(file, docs.Schema, 0o644); err != nil {
				return usageError{err}
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "the file to write to, in place of standard output")
	_ = cmd.MarkFlagFilename("output", "json")
	return cmd
}
