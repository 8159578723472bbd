package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/sealed"
	"github.com/postern-auth/postern/internal/session"
)

// inspecting is what inspect was asked.
type inspecting struct {
	settings, cookie, at, output string
	keys                         []string
}

func newInspect() *cobra.Command {
	var k inspecting
	cmd := &cobra.Command{
		Use:   "inspect [-c SETTINGS] [--key ID=env:NAME]...",
		Short: "Open a session cookie with its key, and show what is in it",
		Long: `Inspect opens what Postern put into a browser, or into an address, and shows it:
who it is of, which provider, which claims, since when and how long still, how many
bytes; and where it does not open or would not be taken, why. It knows

  sessions        one cookie or several, __Host-postern, __Host-postern-1, …
  login bindings  __Host-postern-login
  needs           __Host-postern-need
  what is in addresses: the state of a login or of a sign-out, the request of a
                  start, the ticket for another host

A cookie is as good as a password while its session lasts. So it is read from
standard input or a file, and never from the command line, which others see and
shells remember. Pasted may be a Cookie or Set-Cookie line, a curl command, a file
that curl -c wrote, a browser's export in JSON, addresses, or the bare values.

The keys are those of session.keys in the settings, whose variables must be set
here, or those of --key: an id, and the variable or the file that holds the key.
With settings it is also held against them: lifetime, idle time, not_before,
provider, client, the cookie's name and the budget.

Tokens, codes and secrets are not shown: of a token its length, until when it is
good, and the beginning of its SHA-256, by which two can be told apart. Whether a
session was ended meanwhile is known to the gates alone.

It exits with 0 if all that was found opens and is good; with 1 if something does
not or is not, or nothing was found; and with 2 if a file cannot be read or it was
called wrongly.`,
		Example: `  postern inspect -c settings.yaml < cookie.txt
  postern inspect --key 2026-11=env:POSTERN_KEY --cookie jar.txt
  postern inspect --key 2026-11=file:key.txt --at 2026-11-22T08:00:00Z --output json < cookie.txt`,
		Args: usageArgs(noArguments),
		RunE: func(cmd *cobra.Command, _ []string) error { return k.run(cmd) },
	}
	settingsFlag(cmd, &k.settings)
	flags := cmd.Flags()
	flags.StringVar(&k.cookie, "cookie", "-", "the file with the cookie; - is standard input")
	flags.StringArrayVar(&k.keys, "key", nil, "a key, as ID=env:NAME or ID=file:PATH; may be given again, the first one seals")
	flags.StringVar(&k.at, "at", "", "the time at which it is looked at (RFC 3339), or a time ago such as -5m; now without it")
	outputFlag(cmd, &k.output)
	_ = cmd.MarkFlagFilename("cookie")
	return cmd
}

// noArguments refuses arguments, and does not repeat them: they may be a cookie.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return errors.New("takes no argument: a cookie on a command line is seen by others; give it on standard input, or in a file with --cookie")
	}
	return nil
}

// inspected is what is written in JSON.
type inspected struct {
	Good   bool              `json:"good"`
	At     time.Time         `json:"at"`
	Values []*sealed.Finding `json:"values"`
}

func (k *inspecting) run(cmd *cobra.Command) error {
	if err := checkOutput(k.output); err != nil {
		return err
	}
	if k.cookie == "-" && k.settings == "-" {
		return usageError{errors.New("settings and cookie cannot both be on standard input: --cookie names a file")}
	}
	opener, err := k.opener(cmd)
	if err != nil {
		return refused(cmd, k.output, err)
	}
	values, err := k.read(cmd)
	if err != nil {
		return err
	}
	findings, err := opener.Open(values)
	if err != nil {
		return usageError{err}
	}
	if len(findings) == 0 {
		return fmt.Errorf("nothing of Postern's is among %d values: paste the whole Cookie line of the browser's tools, or the bare value", len(values))
	}
	done := inspected{At: opener.Now.UTC(), Values: findings}
	done.Good = !slices.ContainsFunc(findings, func(f *sealed.Finding) bool { return !f.Good() })
	if k.output == "json" {
		if err := writeJSON(cmd, done); err != nil {
			return err
		}
	} else {
		writeInspected(newPaper(cmd.OutOrStdout()), &done)
	}
	if !done.Good {
		return errFailed
	}
	return nil
}

// read reads what was pasted.
func (k *inspecting) read(cmd *cobra.Command) ([]sealed.Value, error) {
	if in, ok := cmd.InOrStdin().(*os.File); ok && k.cookie == "-" && isTerminal(in) {
		fmt.Fprintln(cmd.ErrOrStderr(), "Paste the cookie, and end with Ctrl-D on a line of its own:")
	}
	text, err := readInput(cmd, k.cookie, "the cookies", maxSettings)
	if err != nil {
		return nil, usageError{err}
	}
	return sealed.Read(string(text)), nil
}

// opener is what opens with the keys that were given.
func (k *inspecting) opener(cmd *cobra.Command) (*sealed.Opener, error) {
	o := &sealed.Opener{}
	var err error
	if o.Now, err = moment(k.at, clock()); err != nil {
		return nil, usageError{err}
	}
	for _, text := range k.keys {
		key, err := readKey(text)
		if err != nil {
			return nil, usageError{err}
		}
		o.Keys = append(o.Keys, key)
	}
	if k.settings == "" {
		if len(o.Keys) == 0 {
			return nil, usageError{fmt.Errorf("no keys: give the settings with --config, or a key with --key; see %s --help", cmd.CommandPath())}
		}
		return o, nil
	}
	s, err := readSettings(cmd, k.settings, false)
	if err != nil {
		return nil, err
	}
	o.Settings = s.Config
	for _, key := range s.Session.Keys {
		switch {
		case slices.ContainsFunc(o.Keys, func(given session.Key) bool { return given.ID == key.ID }):
		case slices.Contains(s.standIns, key.Env):
			o.Missing = append(o.Missing, key.ID)
		default:
			o.Keys = append(o.Keys, session.Key{ID: key.ID, Secret: key.Secret()})
		}
	}
	return o, nil
}

// moment reads a time, or a time ago.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return now, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("--at %q is neither a time such as 2026-11-22T08:00:00Z nor one ago, such as -5m", shown(text))
	}
	return at, nil
}

const keyForm = "--key must be ID=env:NAME or ID=file:PATH, and not the key itself"

// readKey reads a key as --key names it. What is not of that form is not
// repeated: it may be the key.
func readKey(text string) (key session.Key, err error) {
	id, where, ok := strings.Cut(text, "=")
	kind, name, is := strings.Cut(where, ":")
	if !ok || !is || !keyID.MatchString(id) {
		return key, errors.New(keyForm)
	}
	var value string
	switch kind {
	case "env":
		if value, ok = os.LookupEnv(name); !ok {
			return key, fmt.Errorf("--key %s: the variable is not set here", id)
		}
	case "file":
		b, err := readFile(name, "the key")
		if err != nil {
			return key, fmt.Errorf("--key %s: %w", id, err)
		}
		value = string(b)
	default:
		return key, errors.New(keyForm)
	}
	key = session.Key{ID: id}
	if key.Secret, err = config.DecodeKey(value); err != nil || len(key.Secret) < 32 || len(key.Secret) > 64 {
		return key, fmt.Errorf("--key %s: is not 32 to 64 bytes in base64, as postern keygen prints them", id)
	}
	return key, nil
}
