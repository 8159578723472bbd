package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/postern-auth/postern/internal/config"
)

// maxSettings bounds what is read, as the module does.
const maxSettings = 1 << 20

func newValidate() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "validate -c FILE",
		Short: "Check settings before a proxy loads them",
		Long: `Validate reads settings in JSON or YAML, as the module would, and prints every
problem with its place and what would be right. Variables that the settings name
are taken from the environment. It exits with 0 if there is no problem, with 1
if there is one, and with 2 if the file cannot be read.`,
		Example: "  postern validate -c settings.yaml\n  postern validate -c - < settings.json",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := readSettings(file, cmd.InOrStdin())
			if err != nil {
				return usageError{err}
			}
			return validate(cmd, text)
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "the settings; - is standard input")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml", "json")
	return cmd
}

func validate(cmd *cobra.Command, text []byte) error {
	settings, err := toJSON(text)
	if err == nil {
		_, err = config.Parse(settings, os.LookupEnv)
	}
	if err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), err)
		return errFailed
	}
	fmt.Fprintln(cmd.OutOrStdout(), "The settings are valid.")
	return nil
}

func readSettings(file string, stdin io.Reader) ([]byte, error) {
	if file == "" {
		return nil, fmt.Errorf("no settings given; see postern validate --help")
	}
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxSettings+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSettings {
		return nil, fmt.Errorf("the settings are longer than %d bytes", maxSettings)
	}
	return text, nil
}

// toJSON leaves JSON as it is, so that the parser sees what a proxy would hand
// over, repeated keys included.
func toJSON(text []byte) ([]byte, error) {
	if json.Valid(text) {
		return text, nil
	}
	return yaml.YAMLToJSONStrict(text)
}
