package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// goPackage is what the Go tool says of a package.
type goPackage struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Module     *goModule
}

// goModule is what it says of a module.
type goModule struct {
	Path, Version, Dir string
	Main               bool
	Replace            *goModule
}

// list asks for the packages that are compiled into the module.
func list(modfile string) ([]goPackage, error) {
	cmd := exec.Command("go", "list", "-modfile", modfile, "-deps", "-json=ImportPath,Standard,Module,Imports", "./filter")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var all []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("go list: %w", err)
		}
		all = append(all, p)
	}
}

// goEnv asks the Go tool for one of its variables.
func goEnv(name string) (string, error) {
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		return "", fmt.Errorf("go env %s: %w", name, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// readSums reads the hashes of modules beside a go.mod, by path and version, in
// hexadecimal. They are of the modules' trees (the "h1" of golang.org/ref/mod#go-sum-files).
func readSums(modfile string) (map[string]string, error) {
	text, err := os.ReadFile(strings.TrimSuffix(modfile, ".mod") + ".sum")
	if err != nil {
		return nil, err
	}
	sums := map[string]string{}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) != 3 || strings.HasSuffix(words[1], "/go.mod") {
			continue
		}
		sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(words[2], "h1:"))
		if err != nil || len(sum) != 32 {
			return nil, fmt.Errorf("%s %s: no SHA-256", words[0], words[1])
		}
		sums[words[0]+"@"+words[1]] = hex.EncodeToString(sum)
	}
	return sums, nil
}
