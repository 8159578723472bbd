package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/image"
	"github.com/postern-auth/postern/internal/release"
)

// versions are what version tells.
type versions struct {
	Version  string         `json:"version"`
	Revision string         `json:"revision,omitempty"` // of the source
	Go       string         `json:"go"`
	OS       string         `json:"os"`
	Arch     string         `json:"arch"`
	Module   *moduleVersion `json:"module,omitempty"`
}

// moduleVersion is what is told of a module.
type moduleVersion struct {
	File   string `json:"file"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

func newVersion() *cobra.Command {
	var module, output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long: `Version prints the release, the revision of the source and the version of Go that
the command was built of. With --module it prints the SHA-256 of a module as well,
by which what a proxy fetched over https can be told from it. Which version a proxy
runs is in its metric postern_build_info.

It exits with 0 if all is well; with 1 if the file is no module of Postern's; and
with 2 if it cannot be read, or the command was called wrongly.`,
		Example: "  postern version\n  postern version --module build/postern.wasm --output json",
		Args:    usageArgs(noArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runVersion(cmd, module, output) },
	}
	cmd.Flags().StringVar(&module, "module", "", "a module, to print its SHA-256")
	outputFlag(cmd, &output)
	_ = cmd.MarkFlagFilename("module", "wasm")
	return cmd
}

func runVersion(cmd *cobra.Command, module, output string) error {
	if err := checkOutput(output); err != nil {
		return err
	}
	v := versions{Version: release.Version, Revision: revision(), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if module != "" {
		m, err := image.ReadModule(module)
		if err != nil {
			return unreadable(err)
		}
		v.Module = &moduleVersion{module, len(m.Bytes), m.SHA256()}
	}
	if output == "json" {
		return writeJSON(cmd, v)
	}
	writeVersion(newPaper(cmd.OutOrStdout()), &v)
	return nil
}

func writeVersion(p *paper, v *versions) {
	of := ""
	if v.Revision != "" {
		of = "revision " + v.Revision + ", "
	}
	p.line("postern %s (%s%s, %s/%s)", v.Version, of, v.Go, v.OS, v.Arch)
	if v.Module != nil {
		p.line("%s: %d bytes, SHA-256 %s", shown(v.Module.File), v.Module.Bytes, v.Module.SHA256)
	}
}

// revision is what the Go tool recorded of the source.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	set := map[string]string{}
	for _, s := range info.Settings {
		set[s.Key] = s.Value
	}
	if set["vcs.modified"] == "true" {
		return set["vcs.revision"] + "-dirty"
	}
	return set["vcs.revision"]
}
