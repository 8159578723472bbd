package doctest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sample = "# A page: *two* `things`\n\nSee [that](other.md#a-b) and `postern check -c x.yaml`, not `[this](x.md)`.\n\n" +
	"```sh\nexport A=$(postern keygen) B=1   # a comment\npostern check -c 'a b.yaml' \\\n  -t t.yaml && make x > out.txt 2>&1\ncat > f <<EOF\npostern nothing\nEOF\ncurl -s x | jq . &\n```\n\n## A page: two things\n## A page: two things\n" +
	"```console\n$ postern version\n1.0\n```\n\n  ```json\n  {}\n  ```\n"

func TestAPageIsReadAsReadersSeeIt(t *testing.T) {
	p, err := Parse("x.md", sample)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, b := range p.Blocks {
		kinds = append(kinds, b.Where()+" "+b.Kind)
	}
	if diff := cmp.Diff([]string{"x.md:5 sh", "x.md:17 console", "x.md:22 json"}, kinds); diff != "" {
		t.Error(diff)
	}
	if p.Blocks[2].Text != "{}\n" {
		t.Errorf("a block within a list is %q", p.Blocks[2].Text)
	}
	if diff := cmp.Diff([]string{"other.md#a-b"}, p.Links()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]bool{"a-page-two-things": true, "a-page-two-things-1": true, "a-page-two-things-2": true}, p.Anchors()); diff != "" {
		t.Error(diff)
	}
}

func TestCommandsAreFoundWhereverTheyStand(t *testing.T) {
	p, err := Parse("x.md", sample)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for _, b := range p.Blocks {
		for _, c := range b.Commands() {
			all = append(all, c.Args)
		}
	}
	for _, c := range p.Inline("postern") {
		all = append(all, c.Args)
	}
	want := [][]string{
		{"postern", "keygen"}, {"postern", "check", "-c", "a b.yaml", "-t", "t.yaml"}, {"make", "x"}, {"cat"},
		{"curl", "-s", "x"}, {"jq", "."}, {"postern", "version"}, {"postern", "check", "-c", "x.yaml"},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
}

func TestABlockThatIsNotClosedIsAnError(t *testing.T) {
	if _, err := Parse("x.md", "```yaml\na: b\n"); err == nil {
		t.Error("no error")
	}
}
