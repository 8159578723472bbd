package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/release"
)

// The parts of CycloneDX 1.6 that are written (ECMA-424).
type bom struct {
	Schema       string       `json:"$schema"`
	BOMFormat    string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	SerialNumber string       `json:"serialNumber"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []*component `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Lifecycles []lifecycle `json:"lifecycles"`
	Component  *component  `json:"component"`
}

type lifecycle struct {
	Phase string `json:"phase"`
}

type component struct {
	Type        string    `json:"type"`
	Ref         string    `json:"bom-ref"`
	Name        string    `json:"name"`
	Version     string    `json:"version"`
	Description string    `json:"description,omitempty"`
	Scope       string    `json:"scope,omitempty"`
	Hashes      []hash    `json:"hashes,omitempty"`
	Licenses    []licence `json:"licenses,omitempty"`
	PURL        string    `json:"purl"`
}

type hash struct {
	Alg     string `json:"alg"`
	Content string `json:"content"`
}

type licence struct {
	License struct {
		ID string `json:"id"`
	} `json:"license"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn,omitempty"`
}

// standard stands for Go's standard library and runtime, which have no module.
// Vulnerability databases know it by this name.
const standard = "stdlib"

// render writes the list of a module that was built of these packages.
func render(wasm []byte, packages []goPackage, sums map[string]string) ([]byte, error) {
	goVersion, err := goEnv("GOVERSION")
	if err != nil {
		return nil, err
	}
	goRoot, err := goEnv("GOROOT")
	if err != nil {
		return nil, err
	}
	all := map[string]*component{standard: goComponent(goVersion, goRoot)}
	for _, p := range packages {
		if p.Standard || all[p.Module.Path] != nil {
			continue
		}
		all[p.Module.Path] = moduleComponent(p.Module, sums, wasm)
	}
	text, err := assemble(wasm, packages, all)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = json.Indent(&b, text, "", "  ")
	b.WriteByte('\n')
	return b.Bytes(), err
}

func assemble(wasm []byte, packages []goPackage, all map[string]*component) ([]byte, error) {
	list := bom{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", BOMFormat: "CycloneDX", SpecVersion: "1.6", Version: 1,
		SerialNumber: serial(wasm), Metadata: metadata{Lifecycles: []lifecycle{{"build"}}},
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if c := all[name]; c.Type == "application" {
			list.Metadata.Component = c
		} else {
			list.Components = append(list.Components, c)
		}
	}
	if list.Metadata.Component == nil {
		return nil, fmt.Errorf("no package is of the main module")
	}
	needs := needsOf(packages)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		d := dependency{Ref: all[name].Ref}
		for _, needed := range slices.Sorted(maps.Keys(needs[name])) {
			d.DependsOn = append(d.DependsOn, all[needed].Ref)
		}
		list.Dependencies = append(list.Dependencies, d)
	}
	return json.Marshal(list)
}

// serial is a UUID (RFC 9562, section 5.8) made of the module's hash: another
// module has another list.
func serial(wasm []byte) string {
	sum := sha256.Sum256(wasm)
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	text := hex.EncodeToString(sum[:16])
	return "urn:uuid:" + strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-")
}

// needsOf returns which modules import which, by their paths.
func needsOf(packages []goPackage) map[string]map[string]bool {
	of := map[string]string{} // the module of each package
	for _, p := range packages {
		of[p.ImportPath] = standard
		if !p.Standard {
			of[p.ImportPath] = p.Module.Path
		}
	}
	needs := map[string]map[string]bool{}
	for _, p := range packages {
		from := of[p.ImportPath]
		for _, imported := range p.Imports {
			to := cmp.Or(of[imported], standard) // what the standard library brings along under other names
			if to == from {
				continue
			}
			if needs[from] == nil {
				needs[from] = map[string]bool{}
			}
			needs[from][to] = true
		}
	}
	return needs
}

// own is our module's path.
const own = "github.com/postern-auth/postern"

func goComponent(version, root string) *component {
	version = strings.TrimPrefix(version, "go")
	c := &component{
		Type: "library", Name: standard, Version: version, Description: "Go's standard library and runtime", Scope: "required",
		PURL: "pkg:golang/" + standard + "@" + version,
	}
	c.Ref = c.PURL
	c.license(licenceIn(root))
	return c
}

func moduleComponent(m *goModule, sums map[string]string, wasm []byte) *component {
	c := &component{Type: "library", Name: m.Path, Version: m.Version, Scope: "required"}
	dir := m.Dir
	switch {
	case m.Main:
		sum := sha256.Sum256(wasm)
		c.Type, c.Scope, c.Version = "application", "", "v"+release.Version
		c.Description = "postern.wasm: OpenID Connect sign-in inside Envoy"
		c.Hashes = []hash{{"SHA-256", hex.EncodeToString(sum[:])}}
	case m.Replace != nil && m.Replace.Version == "":
		// What stands in for it is ours, version and licence included.
		ours := strings.TrimPrefix(m.Replace.Path, "./")
		c.Name, c.Version, dir = own+"/"+ours, "v"+release.Version, "."
		c.Description = "stands in for " + m.Path + " " + m.Version
		c.PURL = "pkg:golang/" + own + "@" + c.Version + "#" + ours
	default:
		if sum := sums[m.Path+"@"+m.Version]; sum != "" {
			c.Hashes = []hash{{"SHA-256", sum}}
		}
	}
	c.PURL = cmp.Or(c.PURL, "pkg:golang/"+m.Path+"@"+c.Version)
	c.Ref = c.PURL
	c.license(licenceIn(dir))
	return c
}

func (c *component) license(id string) {
	if id == "" {
		return
	}
	var l licence
	l.License.ID = id
	c.Licenses = []licence{l}
}
