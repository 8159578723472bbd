package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// summary reads along with what the tests print and says at the very end what
// failed and why: in between are the logs of the parts, and who watches a build
// sees the last lines only.
type summary struct {
	terminal *os.File
	pipe     *os.File
	done     chan struct{}
	lines    []string
}

// newSummary takes the place of the standard output.
func newSummary() *summary {
	r, w, err := os.Pipe()
	if err != nil {
		return nil
	}
	s := &summary{terminal: os.Stdout, pipe: w, done: make(chan struct{})}
	os.Stdout = w
	go func() {
		defer close(s.done)
		s.read(r, s.terminal)
	}()
	return s
}

func (s *summary) print() {
	if s == nil {
		return
	}
	_ = s.pipe.Close()
	<-s.done
	os.Stdout = s.terminal
	if len(s.lines) > 0 {
		fmt.Fprintf(os.Stdout, "\nWhat failed:\n%s\n", strings.Join(s.lines, "\n"))
	}
}

var (
	testEnds   = regexp.MustCompile(`^\s*--- (PASS|FAIL): (\S+)`)
	testSpeaks = regexp.MustCompile(`^=== \S+\s+(\S+)`) // with -v: whose lines follow
	reasonLine = regexp.MustCompile(`^\s+[a-z0-9_]+\.go:\d+: (.*)`)
)

// Bounds of the summary: a failure tells itself in its first lines.
const (
	reasonsEach = 4
	reasonBytes = 400
)

// read takes a test's reasons from after the line with its result; with -v
// they come before it.
func (s *summary) read(from io.Reader, to io.Writer) {
	told := map[string][]string{}
	speaker, failed := "", false
	for in := bufio.NewReader(from); ; {
		line, err := in.ReadString('\n')
		_, _ = io.WriteString(to, line)
		if err != nil {
			return
		}
		text := strings.TrimRight(line, "\n")
		if m := testEnds.FindStringSubmatch(text); m != nil {
			if speaker, failed = m[2], m[1] == "FAIL"; failed {
				s.lines = append(append(s.lines, text), told[speaker]...)
			}
		} else if m := testSpeaks.FindStringSubmatch(text); m != nil {
			speaker, failed = m[1], false
		} else if reasonLine.MatchString(text) && !strings.Contains(text, lastLines) && len(told[speaker]) < reasonsEach {
			told[speaker] = append(told[speaker], cut(text))
			if failed {
				s.lines = append(s.lines, cut(text))
			}
		}
	}
}

func cut(text string) string {
	if len(text) > reasonBytes {
		return text[:reasonBytes] + "…"
	}
	return text
}

func TestSummarySaysWhatFailed(t *testing.T) {
	want := []string{
		"--- FAIL: TestGate (1.00s)",
		"    --- FAIL: TestGate/one_refresh (0.50s)",
		"        renewal_test.go:10: 2 refreshes at the provider, want 1",
	}
	checkSummary(t, want, `--- FAIL: TestGate (1.00s)
    --- FAIL: TestGate/one_refresh (0.50s)
        renewal_test.go:10: 2 refreshes at the provider, want 1
    envoy.go:10: `+lastLines+` 1.40.0:
        [info] lots
    --- PASS: TestGate/another (0.10s)
        ending_test.go:5: only told
FAIL
`)
	checkSummary(t, []string{want[0], want[1], "    renewal_test.go:10: 2 refreshes at the provider, want 1"}, `=== RUN   TestGate
=== RUN   TestGate/another
    ending_test.go:5: only told
=== RUN   TestGate/one_refresh
    renewal_test.go:10: 2 refreshes at the provider, want 1
=== NAME  TestGate
    envoy.go:10: `+lastLines+` 1.40.0:
--- FAIL: TestGate (1.00s)
    --- FAIL: TestGate/one_refresh (0.50s)
    --- PASS: TestGate/another (0.10s)
FAIL
`)
}

func checkSummary(t *testing.T, want []string, output string) {
	t.Helper()
	var s summary
	var copied strings.Builder
	s.read(strings.NewReader(output), &copied)
	if diff := cmp.Diff(want, s.lines); diff != "" {
		t.Error(diff)
	}
	if copied.String() != output {
		t.Error("the output was changed")
	}
}
