package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/cmd/postern/internal/tryout"
	"github.com/postern-auth/postern/internal/config"
)

// explaining is what explain was asked.
type explaining struct {
	settings, claims, as, output string
	headers                      []string
}

func newExplain() *cobra.Command {
	var x explaining
	cmd := &cobra.Command{
		Use:   "explain -c FILE METHOD ADDRESS",
		Short: "Show what becomes of a request, and why",
		Long: `Explain puts a request to the gate that the settings make, and prints which rule
it falls under, why it falls under none of those in front, what that rule
requires, what becomes of the request, and what the application is told.

  ✓  is met     ✗  is not met     ?  cannot be told

Who asks is told by --claims: a file, in JSON or YAML, with what the provider
says of them in an ID token, at its userinfo endpoint or in an access token, such
as

  {"sub": "1", "groups": ["staff"], "acr": "gold", "auth_time": "-5m"}

Answers to questions that are asked after a login (enrich) stand under "enrich", by
the questions' names, as in {"enrich": {"teams": {"value": [{"name": "red"}]}}};
any other question finds none.

auth_time may be a time ago, as here. "scope" is what was granted; without it,
all that is asked for. By --as session they sign in with these claims, all the
way; by --as token they send an access token with them, made out to this gate
unless "aud" says to whom ("azp" tells whom it was given to).
Where there are several providers, "iss" tells whose claims these are: an issuer, or
a provider's name in the settings; without it, the first whose people the rule lets
in. Of GitHub they are in Postern's words: "sub" is the number of the account,
"preferred_username" its name, and "groups" are organisations and teams.
Without --claims nobody is known. Times, signature and proof of possession are
made to be good.

GET and HEAD are asked as a browser opens a page, and everything else as a script
asks; --header 'accept: text/html' or 'accept: application/json' says otherwise.

At /oauth2/auth it shows what another proxy is told that asks there; with
auth_request.rules, about the request that it names, by --header 'x-forwarded-uri:
/admin', say. The proxy is taken for one of trusted_peers, where these have names.

Nothing is sent anywhere. Variables that the settings name need not be set: what
is thrown in for them is forgotten. No secret and no token is printed.

It exits with 0 whatever becomes of the request, with 1 if the settings are not
valid, and with 2 if it was called wrongly. To have expectations held, see
postern check.`,
		Example: `  postern explain -c settings.yaml GET https://app.example.com/
  postern explain -c settings.yaml GET https://app.example.com/admin/x --claims alice.json
  postern explain -c settings.yaml POST https://app.example.com/api/orders --claims service.json --as token
  postern explain -c settings.yaml GET https://app.example.com/t --header 'x-tenant: red' --output json`,
		Args:              usageArgs(cobra.ExactArgs(2)),
		ValidArgsFunction: proposeMethods,
		RunE:              func(cmd *cobra.Command, args []string) error { return x.run(cmd, args[0], args[1]) },
	}
	settingsFlag(cmd, &x.settings)
	flags := cmd.Flags()
	flags.StringVar(&x.claims, "claims", "", "what the provider says of whoever asks; nobody is known without it")
	flags.StringVar(&x.as, "as", "session", "what they bring: session or token")
	flags.StringArrayVarP(&x.headers, "header", "H", nil, "a header field of the request, as 'name: value'; may be given again")
	outputFlag(cmd, &x.output)
	_ = cmd.MarkFlagFilename("claims", "json", "yaml", "yml")
	_ = cmd.RegisterFlagCompletionFunc("as", cobra.FixedCompletions([]string{"session", "token"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// outputFlag adds the flag that says how the outcome is written.
func outputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "text", "text or json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

func checkOutput(output string) error {
	if output != "text" && output != "json" {
		return usageError{fmt.Errorf("--output %q is neither text nor json", output)}
	}
	return nil
}

func (x *explaining) run(cmd *cobra.Command, method, address string) error {
	if err := checkOutput(x.output); err != nil {
		return err
	}
	now := clock()
	c, err := x.request(cmd, method, address, now)
	if err != nil {
		return usageError{err}
	}
	s, err := readSettings(cmd, x.settings, false)
	if err != nil {
		return refused(cmd, x.output, err)
	}
	t, err := tryout.New(s.Config, func() time.Time { return now })
	if err != nil {
		return refused(cmd, x.output, err)
	}
	o, err := t.Try(c)
	if err != nil {
		return refused(cmd, x.output, err)
	}
	if x.output == "json" {
		return writeJSON(cmd, explanation(c, o))
	}
	writeOutcome(newPaper(cmd.OutOrStdout()), s.Config, c, o)
	return nil
}

// clock is what the time is taken from; to the second, as the module's.
var clock = func() time.Time { return time.Now().Truncate(time.Second) }

// request reads what is asked, and by whom.
func (x *explaining) request(cmd *cobra.Command, method, address string, now time.Time) (*tryout.Case, error) {
	c := &tryout.Case{Token: x.as == "token"}
	var err error
	if c.Method, c.URL, err = readRequest(method, address); err != nil {
		return nil, err
	}
	for _, h := range x.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return nil, errors.New("--header must be 'name: value'")
		}
		f, err := readField(name, value)
		if err != nil {
			return nil, fmt.Errorf("--header: %w", err)
		}
		c.Header = append(c.Header, f)
	}
	switch {
	case x.as != "session" && x.as != "token":
		return nil, fmt.Errorf("--as %q is neither session nor token", x.as)
	case x.claims != "":
		c.Claims, err = readClaims(x.claims, now)
	case cmd.Flags().Changed("as"):
		return nil, errors.New("--as has no place without --claims")
	}
	return c, err
}

// refusal is what is written in JSON where settings or a table are not valid.
type refusal struct {
	Valid bool `json:"valid"` // false
	failure
}

// refused tells what is wrong with settings, or with what is to be tried on them.
func refused(cmd *cobra.Command, output string, err error) error {
	var usage usageError
	if errors.As(err, &usage) {
		return err
	}
	if output != "json" {
		fmt.Fprintln(cmd.ErrOrStderr(), err)
		return errFailed
	}
	var problems config.Problems
	if !errors.As(err, &problems) {
		problems = config.Problems{{Message: err.Error()}}
	}
	if err := writeJSON(cmd, refusal{failure: failure{problems}}); err != nil {
		return err
	}
	return errFailed
}

func writeJSON(cmd *cobra.Command, v any) error {
	encoder := json.NewEncoder(cmd.OutOrStdout())
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
