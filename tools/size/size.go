package main

import (
	"cmp"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// smallPackage is what a package may weigh without a line of its own.
const smallPackage = 4 << 10

// entry is one line of the golden: what weighs how much, and may at most.
type entry struct {
	name   string
	bytes  int
	budget int
}

// weigh gives the code of each package, the small ones together, each other
// section, and the whole file.
func weigh(m *module, fileSize int, packages []string) []entry {
	sizes := map[string]int{}
	prefixes := manglePackages(packages)
	for i, size := range m.bodies {
		sizes[packageOf(m.names[i+len(m.imports)], prefixes)] += size
	}
	small := 0
	var entries []entry
	for name, size := range sizes {
		if size < smallPackage {
			small += size
			continue
		}
		entries = append(entries, entry{name: name, bytes: size})
	}
	entries = append(entries, entry{name: "(small packages)", bytes: small})
	for name, size := range m.sections {
		if name != "code" && size >= smallPackage {
			entries = append(entries, entry{name: "(section " + strings.ReplaceAll(name, " ", "_") + ")", bytes: size})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(b.bytes, a.bytes), cmp.Compare(a.name, b.name))
	})
	return append([]entry{{name: "(file)", bytes: fileSize}}, entries...)
}

// manglePackages maps the prefix that Go's linker gives the functions of a
// package in WebAssembly to its import path.
func manglePackages(packages []string) map[string]string {
	prefixes := map[string]string{}
	for _, p := range packages {
		prefixes[mangle(p)] = p
	}
	return prefixes
}

// mangle does as the linker does: all but letters, digits and dots become
// underlines, and dots are kept.
func mangle(path string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '_'
	}, path)
}

// packageOf finds the longest package whose prefix a function's name has.
func packageOf(function string, prefixes map[string]string) string {
	if rest, ok := strings.CutPrefix(function, "type_."); ok && rest != "" {
		return "(type equality)"
	}
	for end := len(function); ; {
		end = strings.LastIndexByte(function[:end], '.')
		if end < 0 {
			return "(start and exports)"
		}
		if p, ok := prefixes[function[:end]]; ok {
			return p
		}
	}
}

// modulePackages lists what the module is linked from.
func modulePackages(dir string) ([]string, error) {
	list := exec.Command("go", "list", "-deps", "./filter")
	list.Dir = dir
	list.Env = append(list.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	packages := strings.Fields(string(out))
	// The linker calls a command's own package main.
	return append(packages, "main"), nil
}

// compare reports what has outgrown its budget or has none.
func compare(golden, now []entry) []string {
	budgets := map[string]int{}
	for _, e := range golden {
		budgets[e.name] = e.budget
	}
	var complaints []string
	for _, e := range now {
		budget, ok := budgets[e.name]
		switch {
		case !ok:
			complaints = append(complaints, fmt.Sprintf("%s is new and weighs %d bytes: it has no budget", e.name, e.bytes))
		case e.bytes > budget:
			complaints = append(complaints, fmt.Sprintf("%s weighs %d bytes, over its budget of %d", e.name, e.bytes, budget))
		}
	}
	return complaints
}

// maxFile is what the whole module may weigh. No update raises it.
const maxFile = 8_400_000 // bytes

// settle gives each line its budget: the old one while it holds, else an
// eighth more than it weighs, rounded up to a KiB.
func settle(golden, now []entry) []entry {
	budgets := map[string]int{}
	for _, e := range golden {
		budgets[e.name] = e.budget
	}
	settled := slices.Clone(now)
	for i, e := range settled {
		switch budget := budgets[e.name]; {
		case e.name == "(file)":
			settled[i].budget = maxFile
		case e.bytes <= budget:
			settled[i].budget = budget
		default:
			settled[i].budget = (e.bytes + e.bytes/8 + 1023) / 1024 * 1024
		}
	}
	return settled
}

const goldenHeader = "# bytes budget what; see tools/size\n"

func formatEntries(entries []entry) string {
	var b strings.Builder
	b.WriteString(goldenHeader)
	for _, e := range entries {
		fmt.Fprintf(&b, "%8d %8d %s\n", e.bytes, e.budget, e.name)
	}
	return b.String()
}

func parseEntries(text string) ([]entry, error) {
	var entries []entry
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.SplitN(strings.Join(strings.Fields(line), " "), " ", 3)
		if len(fields) != 3 {
			return nil, fmt.Errorf("size golden: %q has not three fields", line)
		}
		bytes, err := strconv.Atoi(fields[0])
		if err != nil {
			return nil, fmt.Errorf("size golden: %w", err)
		}
		budget, err := strconv.Atoi(fields[1])
		if err != nil {
			return nil, fmt.Errorf("size golden: %w", err)
		}
		entries = append(entries, entry{name: fields[2], bytes: bytes, budget: budget})
	}
	return entries, nil
}
