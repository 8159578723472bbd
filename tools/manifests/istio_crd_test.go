package manifests

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// resource is a kind of custom resource as an API server knows it.
type resource struct {
	structural *structuralschema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
	namespaced bool
}

// resources are all kinds of the definitions given, by apiVersion and kind.
type resources map[string]*resource

// define reads definitions, as they are applied to a cluster.
func (r resources) define(text []byte) error {
	docs, err := documents(text)
	if err != nil {
		return err
	}
	for _, doc := range docs {
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(doc, &crd); err != nil {
			return err
		}
		if crd.Kind != "CustomResourceDefinition" {
			continue
		}
		for _, version := range crd.Spec.Versions {
			known, err := newResource(version.Schema.OpenAPIV3Schema)
			if err != nil {
				return fmt.Errorf("%s %s: %w", crd.Name, version.Name, err)
			}
			known.namespaced = crd.Spec.Scope == apiextensionsv1.NamespaceScoped
			r[crd.Spec.Group+"/"+version.Name+" "+crd.Spec.Names.Kind] = known
		}
	}
	return nil
}

func newResource(schema *apiextensionsv1.JSONSchemaProps) (*resource, error) {
	var internal apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(schema, &internal, nil); err != nil {
		return nil, err
	}
	structural, err := structuralschema.NewStructural(&internal)
	if err != nil {
		return nil, err
	}
	validator, _, err := validation.NewSchemaValidator(&internal)
	if err != nil {
		return nil, err
	}
	return &resource{
		structural: structural, schema: validator, rules: cel.NewValidator(structural, true, celconfig.PerCallLimit),
	}, nil
}

// check is what an API server says of an object that is created, with
// fieldValidation=Strict.
func (r resources) check(doc []byte) error {
	text, err := yaml.YAMLToJSONStrict(doc)
	if err != nil {
		return err
	}
	var object map[string]any
	if err := utiljson.Unmarshal(text, &object); err != nil { // with whole numbers, as the server has them
		return err
	}
	name := fmt.Sprint(object["apiVersion"], " ", object["kind"])
	known := r[name]
	if known == nil {
		return fmt.Errorf("no such kind: %s", name)
	}
	unknown := pruning.PruneWithOptions(object, known.structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	var problems []error
	for _, path := range unknown {
		problems = append(problems, fmt.Errorf("unknown field %s", path))
	}
	defaulting.Default(object, known.structural)
	for _, err := range validation.ValidateCustomResource(nil, object, known.schema) {
		problems = append(problems, err)
	}
	for _, err := range listtype.ValidateListSetsAndMaps(nil, known.structural, object) {
		problems = append(problems, err)
	}
	failed, _ := known.rules.Validate(context.Background(), nil, known.structural, object, nil, math.MaxInt64)
	for _, err := range failed {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// documents are those of a YAML text, without the empty ones.
func documents(text []byte) (docs [][]byte, err error) {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, err
		}
		var value any
		if err := yaml.Unmarshal(doc, &value); err != nil {
			return nil, err
		}
		if value != nil {
			docs = append(docs, doc)
		}
	}
}

// moduleDir is where a module's files are.
func moduleDir(t testing.TB, path string) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", path).Output()
	if err != nil || len(bytes.TrimSpace(out)) == 0 {
		t.Fatalf("the module %s: %v", path, err)
	}
	return string(bytes.TrimSpace(out))
}

// downloaded is a module that is no dependency: its files are read and nothing of
// it is compiled. The sum is what go.sum would have.
func downloaded(t testing.TB, path, version, sum string) string {
	t.Helper()
	out, err := exec.Command("go", "mod", "download", "-json", path+"@"+version).Output()
	var module struct{ Dir, Sum string }
	if err := errors.Join(err, json.Unmarshal(out, &module)); err != nil {
		t.Fatalf("the module %s: %v", path, err)
	}
	if module.Sum != sum {
		t.Fatalf("%s %s has the sum %s", path, version, module.Sum)
	}
	return module.Dir
}

// definitions are those in the files below folders.
func definitions(t testing.TB, folders ...string) resources {
	t.Helper()
	all := resources{}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no definitions in %s: %v", folder, err)
		}
		for _, file := range files {
			if err := all.define(read(t, file)); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		}
	}
	return all
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

const repository = "../../"

// refusal checks that an error speaks of something.
func refusal(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("refused with %v, not because of %q", err, want)
	}
}

var errDangerous = errors.New("not FAIL_RELOAD, or no bodies")
