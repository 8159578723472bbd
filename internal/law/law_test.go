// Package law holds the project's import law to its word. It has no code.
package law

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/postern-auth/postern/internal/"

// pure are the rooms that decide. They know no host, no socket, no clock and
// no randomness but what they are handed.
var pure = []string{"bearer", "config", "flow", "gate", "httpmsg", "jws", "metric", "oidc", "page", "pathregex", "policy", "release", "session", "shared", "spelling", "webdis"}

// forbidden are the packages that no pure room imports itself.
var forbidden = []string{
	"os", "net", "net/http", "syscall", "unsafe", "crypto/rand", "math/rand", "math/rand/v2", "log", "log/slog",
	"html/template", "text/template", "regexp", module + "abi", module + "plugin", module + "wazerohost",
}

// allowed are the rooms of ours that each pure room may import.
var allowed = map[string][]string{
	"config":    {"httpmsg", "jws", "page", "pathregex", "spelling"},
	"httpmsg":   {},
	"jws":       {},
	"metric":    {},
	"release":   {},
	"flow":      {"httpmsg"},
	"page":      {"httpmsg", "spelling"},
	"pathregex": {},
	"spelling":  {},
	"policy":    {"config", "httpmsg", "pathregex", "session"},
	"session":   {"httpmsg"},
	"shared":    {"flow", "session"},
	"oidc":      {"config", "flow", "httpmsg", "jws", "session"},
	"webdis":    {"config", "flow", "httpmsg"},
	"bearer":    {"config", "flow", "httpmsg", "jws", "oidc", "policy", "session", "shared"},
	"gate":      {"bearer", "config", "flow", "httpmsg", "jws", "metric", "oidc", "page", "policy", "release", "session", "shared", "webdis"},
}

func imports(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "../...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	found := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		found[words[0]] = words[1:]
	}
	return found
}

func TestThePureRoomsKnowNoHostNoSocketAndNoClock(t *testing.T) {
	all := imports(t)
	for _, room := range pure {
		list, there := all[module+room]
		if !there {
			if _, ruled := allowed[room]; ruled {
				t.Errorf("%s is not there", room)
			}
			continue
		}
		for _, imported := range list {
			if slices.Contains(forbidden, imported) || strings.Contains(imported, "wazero") || strings.Contains(imported, "proxy-wasm") {
				t.Errorf("%s imports %s", room, imported)
			}
			if other, ours := strings.CutPrefix(imported, module); ours && !slices.Contains(allowed[room], other) {
				t.Errorf("%s imports %s", room, other)
			}
		}
	}
}

func TestUnsafeIsForTheABIAlone(t *testing.T) {
	for path, list := range imports(t) {
		if slices.Contains(list, "unsafe") && path != module+"abi" {
			t.Errorf("%s imports unsafe", path)
		}
	}
}

func TestTheABIAndTheGateMeetInThePluginAlone(t *testing.T) {
	for path, list := range imports(t) {
		if slices.Contains(list, module+"abi") && slices.Contains(list, module+"gate") && path != module+"plugin" {
			t.Errorf("%s imports both", path)
		}
	}
}

func TestThePureRoomsStartNoGoroutineAndAskNoClock(t *testing.T) {
	files := token.NewFileSet()
	for _, room := range pure {
		sources, err := filepath.Glob("../" + room + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, source := range sources {
			if strings.HasSuffix(source, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(files, source, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					t.Errorf("%s starts a goroutine", files.Position(n.Pos()))
				case *ast.SelectorExpr:
					if pkg, ok := n.X.(*ast.Ident); ok && pkg.Name == "time" && slices.Contains(clockReaders, n.Sel.Name) {
						t.Errorf("%s asks the clock", files.Position(n.Pos()))
					}
				}
				return true
			})
		}
	}
}

// clockReaders are the functions of package time that look at a clock.
var clockReaders = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}
