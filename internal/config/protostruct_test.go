package config

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAStructIsReadAsTheJSONThatItStandsFor(t *testing.T) {
	// As Envoy 1.40.0 and 1.36.4 handed over the same settings.
	for _, wire := range []string{
		"0a0e0a0161120911000000000000f03f0a1e0a0162121932170a031a01780a0220010a0208000a081a06333630302e350a110a0163120c2a0a0a080a016412031a0165",
		"0a110a0163120c2a0a0a080a016412031a01650a0e0a0161120911000000000000f03f0a1e0a0162121932170a031a01780a0220010a0208000a081a06333630302e35",
	} {
		data, err := hex.DecodeString(wire)
		if err != nil {
			t.Fatal(err)
		}
		got, problem := parseTree(data)
		if problem != nil {
			t.Fatal(problem)
		}
		want, problem := parseTree([]byte(`{"a": 1, "b": ["x", true, null, "3600.5"], "c": {"d": "e"}}`))
		if problem != nil {
			t.Fatal(problem)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(node{})); diff != "" {
			t.Error(diff)
		}
	}
}

// wireStruct writes decoded JSON as a Struct.
func wireStruct(object map[string]any) (out []byte) {
	for key, value := range object {
		entry := append(wireField(1, []byte(key)), wireField(2, wireValue(value))...)
		out = append(out, wireField(1, entry)...)
	}
	return out
}

func wireField(number byte, value []byte) []byte {
	return append(binary.AppendUvarint([]byte{number<<3 | wireBytes}, uint64(len(value))), value...)
}

func wireValue(v any) []byte {
	switch v := v.(type) {
	case nil:
		return []byte{1<<3 | wireVarint, 0}
	case float64:
		return binary.LittleEndian.AppendUint64([]byte{2<<3 | wireFixed64}, math.Float64bits(v))
	case string:
		return wireField(3, []byte(v))
	case bool:
		if v {
			return []byte{4<<3 | wireVarint, 1}
		}
		return []byte{4<<3 | wireVarint, 0}
	case map[string]any:
		return wireField(5, wireStruct(v))
	}
	var list []byte
	for _, item := range v.([]any) {
		list = append(list, wireField(1, wireValue(item))...)
	}
	return wireField(6, list)
}

func TestSettingsMeanTheSameAsJSONAndAsAStruct(t *testing.T) {
	for name, settings := range map[string]string{
		"minimal":       minimal,
		"with numbers":  session(t, `"max_bytes": 4096, "cache_bytes": 0`),
		"with problems": session(t, `"lifetim": "1h", "max_bytes": "many"`),
	} {
		t.Run(name, func(t *testing.T) {
			var decoded map[string]any
			if err := json.Unmarshal([]byte(settings), &decoded); err != nil {
				t.Fatal(err)
			}
			want, wantErr := Parse([]byte(settings), environment)
			got, err := Parse(wireStruct(decoded), environment)
			if diff := cmp.Diff(wantErr, err); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(HostPattern{}, Key{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAStructThatIsNoneIsRefused(t *testing.T) {
	deep := any("x")
	for range maxDepth + 1 {
		deep = []any{deep}
	}
	for name, c := range map[string]struct {
		data string
		want string
	}{
		"cut short":                       {string(wireStruct(map[string]any{"a": "b"})[:5]), "not valid"},
		"a length beyond":                 {"\x0a\xff\xff\xff\xff\x0f", "not valid"},
		"nested without end":              {string(wireStruct(map[string]any{"a": deep})), "deep"},
		"a number that is none":           {string(wireStruct(map[string]any{"a": math.Inf(1)})), "number"},
		"another message":                 {"\x0a\x03abc", "not valid"},
		"JSON after a line break, broken": {"\n{\"providers\": [}", "line 2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.data), environment)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func FuzzParseStruct(f *testing.F) {
	f.Add(wireStruct(map[string]any{"a": []any{1.5, "x", nil, true, map[string]any{"b": "c"}}}))
	f.Add([]byte("\x0a\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if n, err := parseStruct(data); err == nil && len(n.keys) != len(n.items) {
			t.Error("keys without items")
		}
	})
}
