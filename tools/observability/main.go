// Command observability writes the documents about what Postern tells its
// operator, docs/metrics.md, docs/events.md and docs/events.schema.json, from the
// comments of the code that tells it, so that there is one text and not two that
// differ. The reasons of events are those that the conversations in testdata
// bring about.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", "../..", "the project's folder")
	out := flag.String("o", "", "folder to write to")
	flag.Parse()
	if err := run(*root, *out); err != nil {
		fmt.Fprintln(os.Stderr, "observability:", err)
		os.Exit(1)
	}
}

func run(root, out string) error {
	files, err := render(root)
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(out, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// render returns the documents by their names.
func render(root string) (map[string]string, error) {
	metrics, err := metricsPage(root)
	if err != nil {
		return nil, err
	}
	e, err := loadEvents(root)
	if err != nil {
		return nil, err
	}
	return map[string]string{"metrics.md": metrics, "events.md": e.page(), "events.schema.json": e.schema()}, nil
}
