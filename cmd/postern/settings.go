package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/doctor"
	"github.com/postern-auth/postern/internal/manifest"
	"github.com/postern-auth/postern/internal/standin"
)

// maxSettings bounds settings, as the module does, and other things that are read;
// maxFile bounds files that hold settings among other things.
const (
	maxSettings = 1 << 20
	maxFile     = 8 << 20
)

// settings are those of one place of a file.
type settings struct {
	*config.Config
	manifest.Found
	file      string
	standIns  []string // variables in whose place something is thrown in
	variables []string // that are named
}

// settingsFlag adds the flag that names the settings.
func settingsFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "config", "c", "", "the settings, or any file that has them in it; - is standard input")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml", "json")
}

// readSettings reads and checks settings, wherever they stand in a file. Something
// is thrown in for variables of theirs that are not set, unless they must be. The
// error is a usageError where there is nothing to check, or more than one thing.
func readSettings(cmd *cobra.Command, file string, needVariables bool) (*settings, error) {
	all, _, err := findSettings(cmd, file)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, noSettings(file)
	}
	for _, other := range all[1:] {
		if !bytes.Equal(other.Settings, all[0].Settings) {
			return nil, usageError{tooMany(all)}
		}
	}
	return all[0], all[0].parse(needVariables)
}

// noSettings says what a file does not have in it.
func noSettings(file string) error {
	return config.Problems{{Path: called(file), Message: "there are no settings of Postern in it: neither alone nor in a bootstrap of Envoy, a WasmPlugin, an EnvoyFilter, an EnvoyExtensionPolicy or a ConfigMap"}}
}

// findSettings finds all settings of a file, and returns its text, too.
func findSettings(cmd *cobra.Command, file string) (all []*settings, text []byte, err error) {
	if text, err = readBounded(cmd, file); err != nil {
		return nil, nil, usageError{err}
	}
	found, err := manifest.Find(text)
	if err != nil {
		return nil, nil, config.Problems{{Path: called(file), Message: oneLine(err)}}
	}
	for _, f := range found {
		all = append(all, &settings{Found: f, file: file})
	}
	return all, text, nil
}

// tooMany says where settings stand in a file that has several.
func tooMany(all []*settings) error {
	text := fmt.Sprintf("%s holds settings %d times, and not the same; put those that are meant into a file of their own:", called(all[0].file), len(all))
	for _, s := range all {
		text += fmt.Sprintf("\n  line %d: %s", s.Line, shown(s.place()))
	}
	return errors.New(text)
}

// place says what settings stand in.
func (s *settings) place() string {
	text := s.Kind
	if s.Kind == manifest.Settings && s.Path != "" {
		text = "settings at " + s.Path
	}
	if s.Name != "" {
		text += " " + s.Name
	}
	if s.Namespace != "" {
		text += " in " + s.Namespace
	}
	return text
}

// parse checks settings. Problems have the place of the settings before their own.
func (s *settings) parse(needVariables bool) error {
	in := standin.For(s.Settings)
	c, variables, err := doctor.Parse(&s.Found, func([]byte) func(string) (string, bool) {
		if needVariables {
			return os.LookupEnv
		}
		return in.Behind(os.LookupEnv)
	})
	s.Config, s.variables, s.standIns = c, variables, in.Used()
	var problems config.Problems
	if s.Path == "" || !errors.As(err, &problems) {
		return err
	}
	for i := range problems {
		problems[i].Path = s.within(problems[i].Path)
	}
	return problems
}

// standIns look a variable up, and throw something in where it is not set: whoever
// tries settings out on a laptop has no secrets, and needs none, since nobody is
// shown them.
func standIns(settings []byte) func(name string) (string, bool) {
	return standin.For(settings).Behind(os.LookupEnv)
}

// notSet are the variables in whose place something was thrown in. Those of a proxy
// are none of this machine's.
func (s *settings) notSet() []string {
	if s.Kind != manifest.Settings {
		return nil
	}
	return s.standIns
}

// within is a place in the settings, with that of the settings before it.
func (s *settings) within(path string) string {
	if s.Path == "" || path == "" || path[0] == '[' {
		return s.Path + path
	}
	return s.Path + "." + path
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

func readBounded(cmd *cobra.Command, file string) ([]byte, error) {
	if file == "" {
		return nil, fmt.Errorf("no settings given; see %s --help", cmd.CommandPath())
	}
	return readInput(cmd, file, "the settings", maxFile)
}

// readInput reads a file, or standard input where its name is -.
func readInput(cmd *cobra.Command, file, what string, most int64) ([]byte, error) {
	if file == "-" {
		return readMost(cmd.InOrStdin(), what, most)
	}
	return readNamed(file, what, most)
}

// readFile reads a small file.
func readFile(file, what string) ([]byte, error) { return readNamed(file, what, maxSettings) }

func readNamed(file, what string, most int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readMost(f, what, most)
}

func readAll(in io.Reader, what string) ([]byte, error) { return readMost(in, what, maxSettings) }

func readMost(in io.Reader, what string, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > most {
		return nil, fmt.Errorf("%s are longer than %d bytes", what, most)
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
