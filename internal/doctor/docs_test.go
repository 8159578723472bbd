package doctor

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the table into the document")

func TestTheDocumentHasTheTable(t *testing.T) {
	const file, mark = "../../docs/doctor.md", "-update`. -->\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, table, ok := strings.Cut(string(text), mark)
	if !ok {
		t.Fatalf("the document does not say where the table is")
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+mark+"\n"+Table()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff("\n"+Table(), table); diff != "" {
		t.Errorf("run the test with -update: %s", diff)
	}
}
