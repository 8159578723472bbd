package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/postern-auth/postern/internal/config"
)

// maxSettings bounds what is read, as the module does.
const maxSettings = 1 << 20

// settings are what a file says.
type settings struct {
	*config.Config
	standIns []string // variables in whose place something is thrown in
}

// settingsFlag adds the flag that names the settings.
func settingsFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "config", "c", "", "the settings, in YAML or JSON; - is standard input")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml", "json")
}

// readSettings reads and checks settings. Something is thrown in for variables
// of theirs that are not set, unless they must be. The error is a usageError
// where there is nothing to check.
func readSettings(cmd *cobra.Command, file string, needVariables bool) (*settings, error) {
	text, err := readBounded(cmd, file)
	if err != nil {
		return nil, usageError{err}
	}
	if text, err = toJSON(text); err != nil {
		return nil, config.Problems{{Path: called(file), Message: oneLine(err)}}
	}
	if what := settingsWithin(text); what != "" {
		return nil, config.Problems{{Path: called(file), Message: what}}
	}
	env := os.LookupEnv
	in := standInsFor(text)
	if !needVariables {
		env = in.lookup
	}
	c, err := config.Parse(text, env)
	if err != nil {
		return nil, err
	}
	return &settings{c, in.used}, nil
}

// called is how messages name a file.
func called(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}

// oneLine is what a YAML parser says, without how it came to read it.
func oneLine(err error) string {
	text := strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")
	return strings.Join(strings.Fields(text), " ")
}

// settingsWithin says of a file that holds settings among other things where they
// stand in it, and "" of any other.
func settingsWithin(text []byte) string {
	var keys map[string]json.RawMessage
	if json.Unmarshal(text, &keys) != nil || keys["providers"] != nil {
		return ""
	}
	var kind string
	_ = json.Unmarshal(keys["kind"], &kind)
	const wanted = "; Postern's settings are wanted, which are what stands in it below "
	switch {
	case kind == "WasmPlugin":
		return "this is a WasmPlugin of Istio" + wanted + "`pluginConfig:`, as a file of their own"
	case keys["static_resources"] != nil, keys["dynamic_resources"] != nil:
		return "this is a bootstrap configuration of Envoy" + wanted + "`value:` in the filter's `configuration:`, as a file of their own"
	}
	return ""
}

func readBounded(cmd *cobra.Command, file string) ([]byte, error) {
	if file == "" {
		return nil, fmt.Errorf("no settings given; see %s --help", cmd.CommandPath())
	}
	if file == "-" {
		return readAll(cmd.InOrStdin(), "the settings")
	}
	return readFile(file, "the settings")
}

func readFile(file, what string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, what)
}

func readAll(in io.Reader, what string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(in, maxSettings+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSettings {
		return nil, fmt.Errorf("%s are longer than %d bytes", what, maxSettings)
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
