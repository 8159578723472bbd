package main

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/cmd/postern/internal/tryout"
	"github.com/postern-auth/postern/internal/config"
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
		Use:   "check -c FILE [-t TABLE]...",
		Short: "Check settings, and hold them to a table of expectations",
		Long: `Check reads settings in YAML or JSON, as the module would, and prints every
problem with its place and what would be right. It lists what is open: to anyone,
to whoever is not signed in, and to everybody while it is only observed. It warns
about insecure_… settings in force, about rules that can never match, and about
what is protected while something weaker holds right beside it.

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

With -o json it writes all of it as one object, problems included.

It exits with 0 if all is well; with 1 if the settings or a table are not valid,
if an expectation is not met, or, with --strict, if there is a warning; and with 2
if a file cannot be read or it was called wrongly.`,
		Example: `  postern check -c settings.yaml
  postern check -c - < settings.json
  postern check -c settings.yaml -t expectations.yaml --strict`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return k.run(cmd) },
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

// checked is what check found.
type checked struct {
	Valid     bool             `json:"valid"`
	Insecure  []string         `json:"insecure,omitempty"`
	Warnings  []policy.Warning `json:"warnings,omitempty"`
	Open      []policy.Warning `json:"open,omitempty"` // to be looked at, and often meant
	StandIns  []string         `json:"variables_not_set,omitempty"`
	Cases     []result         `json:"expectations,omitempty"`
	NotMet    int              `json:"not_met"`
	WithTable bool             `json:"-"`
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

func (k *checking) run(cmd *cobra.Command) error {
	if err := checkOutput(k.output); err != nil {
		return err
	}
	now := clock()
	s, err := readSettings(cmd, k.settings, k.needVariables)
	if err != nil {
		return refused(cmd, k.output, err)
	}
	found := checked{Valid: true, Insecure: s.Insecure(), StandIns: s.standIns, WithTable: len(k.tables) > 0}
	found.warn(policy.Warnings(s.Config))
	if err := k.hold(&found, s.Config, now); err != nil {
		return refused(cmd, k.output, err)
	}
	if k.output == "json" {
		if err := writeJSON(cmd, found); err != nil {
			return err
		}
	} else {
		writeChecked(newPaper(cmd.OutOrStdout()), &found)
	}
	if found.NotMet > 0 || k.strict && len(found.Insecure)+len(found.Warnings) > 0 {
		return errFailed
	}
	return nil
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
