package main

import (
	"bytes"
	"errors"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/cmd/postern/internal/tryout"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/doctor"
	"github.com/postern-auth/postern/internal/manifest"
	"github.com/postern-auth/postern/internal/policy"
)

// checking is what check was asked.
type checking struct {
	settings, output      string
	tables                []string
	strict, needVariables bool
}

func newCheck() *cobra.Command {
	var k checking
	cmd := &cobra.Command{
		Use:   "check [FILE]... [-c FILE] [-t TABLE]...",
		Short: "Check settings, and hold them to a table of expectations",
		Long: `Check reads settings in YAML or JSON, as the module would, and prints every
problem with its place and what would be right. It lists what is open: to anyone,
to whoever is not signed in, and to everybody while it is only observed. It warns
about insecure_… settings in force, about rules that can never match, and about
what is protected while something weaker holds right beside it.

It finds settings wherever they stand: alone; in a bootstrap of Envoy, or resources
that are delivered to it; in Istio's WasmPlugin and EnvoyFilter; in Envoy Gateway's
EnvoyExtensionPolicy; in a ConfigMap that holds any of these; among several
documents. All that are found are checked, and what stands around them is looked at
as well: what happens when the module fails, variables that are not handed over,
clusters that are not there or do not verify whom they are connected to, access
logs that write codes, and so on. docs/doctor.md lists all of it, with its cure.
Of several files, some may have no settings in them.

With -t it holds the settings to a table: a YAML list of requests, who makes them,
and what is to become of them. Each is put to the real gate, as postern explain
does:

  - name: editors may edit                     # optional, as all but request and expect
    request: PUT https://app.example.com/pages/1
    claims: {sub: "1", groups: [editors]}      # or a file beside the table; without: nobody.
                                               # Under enrich: answers to questions, by name;
                                               # under iss: an issuer or a provider's name
    as: token                                  # or session, which is usual
    headers: {x-tenant: red}                   # of the request
    expect: pass                               # pass, login, step_up, own (an address of
                                               # Postern's), or a status such as 403
    rule: edit                                 # that decides, or unmatched
    reason: group_missing                      # as in the log
    application: {x-auth-request-user: "1"}    # what the application is to be given,
                                               # and null for what it is not

Variables that the settings name need not be set: something is thrown in for
those that are not, unless --require-variables is given.

With -o json it writes all of it as one object, problems included. Where there are
settings in several places, the object has one for each under "settings".

It exits with 0 if all is well; with 1 if settings or a table are not valid, if
something around them is an error, if an expectation is not met, or, with --strict,
if there is a warning; and with 2 if a file cannot be read or it was called wrongly.`,
		Example: `  postern check settings.yaml
  postern check -c - < settings.json
  postern check envoy.yaml istio/*.yaml --strict
  postern check -c settings.yaml -t expectations.yaml --strict`,
		Args: usageArgs(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error { return k.run(cmd, args) },
	}
	settingsFlag(cmd, &k.settings)
	flags := cmd.Flags()
	flags.StringArrayVarP(&k.tables, "table", "t", nil, "a table of expectations; may be given again")
	flags.BoolVar(&k.strict, "strict", false, "fail where there is a warning")
	flags.BoolVar(&k.needVariables, "require-variables", false, "fail where a variable that the settings name is not set")
	outputFlag(cmd, &k.output)
	_ = cmd.MarkFlagFilename("table", "yaml", "yml", "json")
	return cmd
}

// checked is what check found in one place.
type checked struct {
	Valid     bool             `json:"valid"`
	File      string           `json:"file,omitempty"` // and what follows, where settings do not stand alone
	Line      int              `json:"line,omitempty"`
	Kind      string           `json:"kind,omitempty"`
	Name      string           `json:"name,omitempty"`
	Namespace string           `json:"namespace,omitempty"`
	Path      string           `json:"path,omitempty"`
	Problems  config.Problems  `json:"problems,omitempty"`
	Insecure  []string         `json:"insecure,omitempty"`
	Warnings  []policy.Warning `json:"warnings,omitempty"`
	Open      []policy.Warning `json:"open,omitempty"` // to be looked at, and often meant
	Findings  []doctor.Finding `json:"findings,omitempty"`
	StandIns  []string         `json:"variables_not_set,omitempty"`
	Cases     []result         `json:"expectations,omitempty"`
	NotMet    int              `json:"not_met"`
	WithTable bool             `json:"-"`
	settings  *settings
	again     *checked // of the same file, with the same settings
}

// warn takes warnings up.
func (found *checked) warn(all []policy.Warning) {
	for _, w := range all {
		if w.Kind == policy.WarnsOpen {
			found.Open = append(found.Open, w)
		} else {
			found.Warnings = append(found.Warnings, w)
		}
	}
}

// result is what became of an expectation.
type result struct {
	Table   string          `json:"table"`
	Line    int             `json:"line"`
	Name    string          `json:"name"`
	Met     bool            `json:"met"`
	Differs []string        `json:"differs,omitempty"`
	Got     *tryout.Outcome `json:"got"`
}

func (k *checking) run(cmd *cobra.Command, files []string) error {
	if err := checkOutput(k.output); err != nil {
		return err
	}
	now := clock()
	if k.settings != "" || len(files) == 0 {
		files = append([]string{k.settings}, files...)
	}
	places, err := findAll(cmd, files)
	if err != nil {
		return refused(cmd, k.output, err)
	}
	var all []*checked
	for i, s := range places {
		found := k.place(s, len(files) > 1)
		for _, first := range all[:i] {
			if first.again == nil && first.settings.file == s.file && bytes.Equal(first.settings.Settings, s.Settings) {
				found.again = first
			}
		}
		all = append(all, found)
	}
	if err := k.tried(all, now); err != nil {
		return refused(cmd, k.output, err)
	}
	return k.report(cmd, all)
}

// findAll finds the settings of several files. Some of these may have none, unless
// all are so; what lets bodies through may stand in another one than the settings.
func findAll(cmd *cobra.Command, files []string) (all []*settings, err error) {
	var texts [][]byte
	for _, file := range files {
		places, text, err := findSettings(cmd, file)
		if err != nil {
			return nil, err
		}
		all, texts = append(all, places...), append(texts, text)
	}
	if len(all) == 0 {
		return nil, noSettings(files[0])
	}
	found := make([]*manifest.Found, len(all))
	for i, s := range all {
		found[i] = &s.Found
	}
	for _, text := range texts {
		if err := manifest.Beside(text, found); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// place checks the settings of one place. One that holds nothing else is named only
// among others.
func (k *checking) place(s *settings, several bool) *checked {
	found := &checked{settings: s, WithTable: len(k.tables) > 0}
	if s.Kind != manifest.Settings || s.Path != "" || several {
		found.File, found.Line, found.Kind, found.Name, found.Namespace, found.Path = called(s.file), s.Line, s.Kind, s.Name, s.Namespace, s.Path
	}
	if err := s.parse(k.needVariables); err != nil {
		if !errors.As(err, &found.Problems) {
			found.Problems = config.Problems{{Message: err.Error()}}
		}
	} else {
		found.Valid, found.Insecure = true, s.Insecure()
		found.warn(policy.Warnings(s.Config))
	}
	found.StandIns = s.notSet()
	found.Findings = doctor.Around(&doctor.Subject{Found: &s.Found, Config: s.Config, Variables: s.variables})
	return found
}

// tried holds the settings to the tables, which are for one of them.
func (k *checking) tried(all []*checked, now time.Time) error {
	if len(k.tables) == 0 {
		return nil
	}
	for _, found := range all {
		if !bytes.Equal(found.settings.Settings, all[0].settings.Settings) {
			return usageError{errors.New("a table of expectations is for one of the settings; there are several")}
		}
	}
	if !all[0].Valid {
		return nil
	}
	return k.hold(all[0], all[0].settings.Config, now)
}

// report prints what was found, and says whether all is well.
func (k *checking) report(cmd *cobra.Command, all []*checked) error {
	failed := false
	for _, found := range all {
		failed = failed || found.fails(k.strict)
	}
	if k.output == "json" {
		if err := writeJSON(cmd, asObject(all, !failed)); err != nil {
			return err
		}
	} else {
		for _, found := range all {
			writeChecked(newPaper(cmd.OutOrStdout()), cmd.ErrOrStderr(), found)
		}
	}
	if failed {
		return errFailed
	}
	return nil
}

// asObject is what is written in JSON: of one place what was found there, of
// several a list.
func asObject(all []*checked, well bool) any {
	if len(all) == 1 {
		return all[0]
	}
	return struct {
		Well     bool       `json:"well"`
		Settings []*checked `json:"settings"`
	}{well, all}
}

// fails says whether something is not well, or nearly so.
func (found *checked) fails(strictly bool) bool {
	worst := doctor.Worst(found.Findings)
	return !found.Valid || found.NotMet > 0 || worst == doctor.Error ||
		strictly && (len(found.Insecure)+len(found.Warnings) > 0 || worst == doctor.Warning)
}

// hold holds the settings to all tables. What is wrong with any of these is told
// before anything is tried out.
func (k *checking) hold(found *checked, c *config.Config, now time.Time) error {
	var expectations []expectation
	for _, file := range k.tables {
		table, err := readTable(file, now)
		if err != nil {
			return err
		}
		expectations = append(expectations, table...)
	}
	if len(expectations) == 0 {
		return nil
	}
	t, err := tryout.New(c, func() time.Time { return now })
	if err != nil {
		return err
	}
	for i := range expectations {
		e := &expectations[i]
		o, err := t.Try(&e.Case)
		if err != nil {
			return config.Problems{{Path: e.file + ":" + strconv.Itoa(e.line), Message: err.Error()}}
		}
		r := result{Table: e.file, Line: e.line, Name: e.name, Differs: e.differs(o), Got: o}
		if r.Met = len(r.Differs) == 0; !r.Met {
			found.NotMet++
		}
		found.Cases = append(found.Cases, r)
	}
	return nil
}
