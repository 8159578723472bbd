package main

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/postern-auth/postern/internal/doctest"
)

// demonstration says of commands that are not this one how it is shown that they
// do what a document has them for: by the test of that name; as "a target" of
// make; as "shell", which prepares others; or as "no cluster", for what nobody here
// can run, as the page or one that it leads to must say.
type demonstration struct {
	page    string // or the folder that it is in, with a slash
	kind    string // of the block; "" for any
	command string // what it begins with
	how     string
}

var demonstrated = []demonstration{
	{"", "", "make", "a target"},

	// Each line of a console block below envoy/ is run there, beside its Envoy.
	{"envoy/", "console", "", "TestConfigurationsRunAsTheyStand"},
	{"envoy/", "", "envoy/tls/certificates.sh", "TestConfigurationsRunAsTheyStand"},
	{"docs/install-envoy.md", "console", "", "TestConfigurationsRunAsTheyStand"},
	{"docs/install-envoy.md", "", "envoy -c", "TestRenderedSettingsRunAsTheyStand"},
	{"docs/install-envoy.md", "", "install", "shell"},
	{"envoy/secretless/", "", "func-e run -c", "TestEnvoyKeepsTheClientsSecret"},
	{"envoy/nginx/", "", "func-e run -c", "TestNginxAsksPostern"},
	{"envoy/nginx/", "", "nginx -e stderr -p build/nginx", "TestNginxAsksPostern"},
	{"", "", "func-e run -c envoy/envoy.yaml", "TestTheConfigurationInTheDocumentsRuns"},
	{"envoy/", "", "func-e run -c", "TestConfigurationsRunAsTheyStand"},

	{"envoy/dynamic/", "", "cp", "shell"},
	{"envoy/dynamic/", "", "mv", "TestFilesChangeUnderLoad"},
	{"envoy/dynamic/", "", "curl", "TestFilesChangeUnderLoad"},

	{"envoy/webdis/", "", "redis-server", "TestWebdisDoesWhatTheGateNeeds"},
	{"envoy/webdis/", "", "webdis", "TestWebdisDoesWhatTheGateNeeds"},
	{"envoy/webdis/", "", "curl", "TestWebdisDoesWhatTheGateNeeds"},
	{"envoy/webdis/", "", "", "shell"},

	{"envoy/prometheus/", "", "promtool check config", "TestPrometheusTakesTheConfiguration"},
	{"envoy/prometheus/", "", "promtool test rules", "TestAlertsFireOnWhatTheyAreForAndOnNothingElse"},
	{"envoy/prometheus/", "", "prometheus", "TestSteppingUp"},
	{"docs/operations.md", "", "sed -n", "TestEventsAreTakenOutOfALogByTheLineInTheDocuments"},

	{"", "", "kubectl", "no cluster"},
	{"", "", "istioctl", "no cluster"},
	{"", "", "egctl", "no cluster"},
	{"", "", "helm", "no cluster"},
	{"istio/", "", "curl", "no cluster"},
	{"envoy-gateway/", "", "curl", "no cluster"},
	{"docs/install-istio.md", "", "curl", "no cluster"},
	{"docs/install-envoy-gateway.md", "", "curl", "no cluster"},

	{"", "", "cat", "shell"},
	{"", "", "openssl rand", "shell"},
	{"", "", "mkdir", "shell"},
	{"", "", "grep", "shell"},
	{"", "", "printf", "shell"},
	{"", "", "base64", "shell"},
}

// of reports whether the demonstration is one of a command.
func (d demonstration) of(c doctest.Command) bool {
	inPage := d.page == "" || d.page == c.Page || strings.HasSuffix(d.page, "/") && strings.HasPrefix(c.Page, d.page)
	return inPage && (d.kind == "" || d.kind == c.Kind) && (d.command == "" || strings.HasPrefix(c.Text+" ", d.command+" "))
}

// longRunning are the commands that are only held against their flags here: they
// serve, or they need a proxy, a registry or a cookie. Each has tests of its own. So has
// what reads standard input ("-"), which another command writes.
var longRunning = []string{"demo", "push", "doctor", "envoy", "help", "completion", "inspect"}

func documentsCommands(t *testing.T) map[*doctest.Page][]doctest.Command {
	t.Helper()
	pages, err := doctest.Pages("../..")
	if err != nil {
		t.Fatal(err)
	}
	all := map[*doctest.Page][]doctest.Command{}
	for _, p := range pages {
		for _, b := range p.Blocks {
			all[p] = append(all[p], b.Commands()...)
		}
		all[p] = append(all[p], p.Inline("postern", "build/postern", "make")...)
	}
	return all
}

func isOurs(c doctest.Command) bool { return c.Args[0] == "postern" || c.Args[0] == "build/postern" }

// understood reports what is wrong with a command line of ours. What the text of
// a page mentions may leave out what is to be filled in.
func understood(args []string, mentioned bool) error {
	root := newRoot()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		if mentioned && (errors.Is(err, pflag.ErrHelp) || strings.HasPrefix(err.Error(), "flag needs an argument")) {
			return nil
		}
		return err
	}
	if given := cmd.Flags().Args(); len(given) > 0 || !mentioned {
		return cmd.ValidateArgs(given)
	}
	return nil
}

func TestCommandsInTheDocumentsAreUnderstood(t *testing.T) {
	tried := 0
	for page, commands := range documentsCommands(t) {
		for _, c := range commands {
			if !isOurs(c) {
				continue
			}
			tried++
			if err := understood(c.Args[1:], c.Line == 0); err != nil {
				t.Errorf("%s:%d: %s: %v", page.Path, c.Line, c.Text, err)
			}
		}
	}
	if tried < 10 {
		t.Errorf("only %d commands were found", tried)
	}
}

// fileNamed is the name of a file that a block says it is, in its first line.
var fileNamed = regexp.MustCompile(`^(?:#|//) ([a-z0-9./-]+\.(?:yaml|json|cfg|toml))\s`)

// fixtures are the files that commands speak of and no page shows.
var fixtures = map[string]string{
	"settings.yaml": goodSettings,
	"alice.json":    `{"sub": "1", "groups": ["group1"]}`,
}

// folderOf lays out a folder in which a page's commands run: the files that the
// page shows, those that its commands speak of, and the project's own.
func folderOf(t *testing.T, page *doctest.Page) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"envoy", "envoy-gateway", "istio"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join("..", "..", name))); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	write := func(name, text string) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range fixtures {
		write(name, text)
	}
	for _, b := range page.Blocks {
		if m := fileNamed.FindStringSubmatch(b.Text); m != nil {
			write(m[1], b.Text)
		}
	}
	return dir
}

// exits are the commands that do not exit with 0, as their page says.
var exits = map[string]int{}

func TestCommandsInTheDocumentsRun(t *testing.T) {
	for name, value := range map[string]string{
		"POSTERN_KEY": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "TEST_KEY": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
		"TEST_SECRET": "hush-hush", "SHOP_CLIENT_SECRET": "hush-hush", "DEMO_CLIENT_SECRET": "hush-hush",
	} {
		t.Setenv(name, value)
	}
	for page, commands := range documentsCommands(t) {
		commands = slices.DeleteFunc(commands, func(c doctest.Command) bool {
			return !isOurs(c) || c.Line == 0 || len(c.Args) < 2 || slices.Contains(longRunning, c.Args[1]) || slices.Contains(c.Args, "-")
		})
		if len(commands) == 0 {
			continue
		}
		t.Run(page.Path, func(t *testing.T) {
			t.Chdir(folderOf(t, page))
			for _, c := range commands {
				var out, errOut strings.Builder
				if code := execute(t.Context(), c.Args[1:], &out, &errOut); code != exits[c.Text] {
					t.Errorf("line %d: %s: exit %d, want %d\n%s%s", c.Line, c.Text, code, exits[c.Text], out.String(), errOut.String())
				}
			}
		})
	}
}

// tests are the names of all tests of the project.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9_]+)\(`)
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == "build" || entry.Name() == ".git"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestOtherCommandsInTheDocumentsAreShownToWork(t *testing.T) {
	commands := documentsCommands(t)
	targets, all, without, used := makeTargets(t), tests(t), withoutCluster(slices.Collect(maps.Keys(commands))), map[int]bool{}
	for page, commands := range commands {
		for _, c := range commands {
			if isOurs(c) {
				continue
			}
			i := slices.IndexFunc(demonstrated, func(d demonstration) bool { return d.of(c) })
			if i < 0 {
				t.Errorf("%s:%d: nothing shows that this works: %s", page.Path, c.Line, c.Text)
				continue
			}
			used[i] = true
			filesAreThere(t, c)
			switch how := demonstrated[i].how; {
			case how == "a target":
				for _, target := range c.Args[1:] {
					if variable := strings.Contains(target, "="); !variable && !targets[target] {
						t.Errorf("%s:%d: %s: make has no target %s", page.Path, c.Line, c.Text, target)
					}
				}
			case how == "no cluster" && !without[page.Path]:
				t.Errorf("%s:%d: %s is run by no test, and the page does not say so, nor one that it leads to", page.Path, c.Line, c.Text)
			case strings.HasPrefix(how, "Test") && !all[how]:
				t.Errorf("%s: there is no test %s", c.Text, how)
			}
		}
	}
	for i, d := range demonstrated {
		if !used[i] {
			t.Errorf("no document has %s %s", d.page, d.command)
		}
	}
}

// saysSo is what a page says whose commands nobody could run.
var saysSo = regexp.MustCompile(`(?i)\bno cluster was at hand\b`)

// withoutCluster are the pages that say that there was no cluster to run their
// commands in, and those that lead to them.
func withoutCluster(pages []*doctest.Page) map[string]bool {
	say, lead := map[string]bool{}, map[string]bool{}
	for _, p := range pages {
		say[p.Path] = saysSo.MatchString(p.Text)
	}
	for _, p := range pages {
		lead[p.Path] = say[p.Path]
		for _, link := range p.Links() {
			file, _, _ := strings.Cut(link, "#")
			target := path.Join(path.Dir(p.Path), file)
			lead[p.Path] = lead[p.Path] || say[target] || say[path.Join(target, "README.md")]
		}
	}
	return lead
}

// filesAreThere looks for the project's files that a command names.
func filesAreThere(t *testing.T, c doctest.Command) {
	t.Helper()
	if c.Args[0] == "cp" || c.Args[0] == "mv" {
		return // of which one is to be there afterwards
	}
	for _, arg := range c.Args {
		for _, folder := range []string{"envoy/", "envoy-gateway/", "istio/"} {
			if !strings.HasPrefix(arg, folder) {
				continue
			}
			if _, err := os.Stat(filepath.Join("..", "..", filepath.FromSlash(arg))); err != nil {
				t.Errorf("%s:%d: %s: %v", c.Page, c.Line, c.Text, err)
			}
		}
	}
}

// makeTargets are the targets of make.
func makeTargets(t *testing.T) map[string]bool {
	t.Helper()
	targets := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^([a-z][a-z0-9 -]*):(?:$|[^=])`)
	for _, file := range []string{"Makefile", "build.mk", "run.mk", "image.mk"} {
		text, err := os.ReadFile(filepath.Join("..", "..", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			for name := range strings.FieldsSeq(m[1]) {
				targets[name] = true
			}
		}
	}
	return targets
}
