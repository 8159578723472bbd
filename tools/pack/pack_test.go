package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tetratelabs/wazero"
)

// made is a module with a memory of some pages, the given data, and a function
// that does nothing, as "f".
func made(pages int, data ...piece) []byte {
	out := bytes.Clone(magic)
	out = appendSection(out, sectionType, []byte{1, 0x60, 0, 0})
	out = appendSection(out, sectionFunction, []byte{1, 0})
	out = appendSection(out, sectionMemory, append([]byte{1, 0}, number(pages)...))
	out = appendSection(out, 7, []byte{2, 1, 'm', 2, 0, 1, 'f', 0, 0})
	out = appendSection(out, sectionCode, []byte{1, 2, 0, 0x0b})
	body := number(len(data))
	for _, p := range data {
		body = append(append(append(body, 0), constant(p.at)...), 0x0b)
		body = append(append(body, number(len(p.content))...), p.content...)
	}
	return appendSection(out, sectionData, body)
}

// memoryOf is what a module's memory holds once it is instantiated.
func memoryOf(t *testing.T, module []byte) []byte {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer r.Close(ctx)
	m, err := r.Instantiate(ctx, module)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.ExportedFunction("f").Call(ctx); err != nil {
		t.Errorf("a function of the module's own: %v", err)
	}
	memory, _ := m.Memory().Read(0, m.Memory().Size())
	return bytes.Clone(memory)
}

func TestAPackedModuleBeginsWithTheSameMemory(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	words := make([]byte, 0, 50_000)
	for len(words) < 50_000 {
		words = binary.LittleEndian.AppendUint64(words, uint64(random.IntN(400)))
	}
	for name, module := range map[string][]byte{
		"one byte":                       made(1, piece{7, []byte{1}}),
		"a byte at the very beginning":   made(1, piece{0, []byte{1}}),
		"what cannot be made smaller":    made(2, piece{1000, noise(70_000)}),
		"one byte again and again":       made(2, piece{1000, bytes.Repeat([]byte{9}, 70_000)}),
		"two bytes again and again":      made(2, piece{1000, bytes.Repeat([]byte{9, 8}, 35_000)}),
		"long zeros between":             made(4, piece{100, noise(300)}, piece{200_000, noise(20)}),
		"pieces in no order":             made(1, piece{500, []byte{1, 2}}, piece{7, []byte{3}}, piece{100, []byte{4}}),
		"many small pieces":              made(2, piece{1024, words}),
		"pieces of every kind":           made(8, piece{16, words}, piece{60_000, noise(15)}, piece{60_015, noise(16)}, piece{70_000, bytes.Repeat([]byte("abc"), 90)}, piece{400_000, noise(5000)}),
		"matches as long as a length is": made(2, piece{64, append(append(noise(30), bytes.Repeat([]byte{1, 2, 3, 4}, 5)...), bytes.Repeat([]byte{7}, 15+255+4)...)}),
	} {
		t.Run(name, func(t *testing.T) {
			packed, err := pack(module)
			if err != nil {
				t.Fatal(err)
			}
			if want, got := memoryOf(t, module), memoryOf(t, packed); !bytes.Equal(want, got) {
				for i := range want {
					if want[i] != got[i] {
						t.Fatalf("byte %d is %d, not %d", i, got[i], want[i])
					}
				}
				t.Fatalf("%d bytes, not %d", len(got), len(want))
			}
		})
	}
}

func TestWhatIsNotUnderstoodIsNotPacked(t *testing.T) {
	good := made(1, piece{7, []byte{1}})
	for name, c := range map[string]struct {
		module []byte
		want   string
	}{
		"no module":               {[]byte("a file"), "not a WebAssembly module of version 1"},
		"cut off":                 {good[:len(good)-1], "a section is cut off"},
		"no data":                 {made(1), "it has no data, or its data is cut off"},
		"a start function":        {appendSection(bytes.Clone(good), sectionStart, []byte{0}), "it has a start function already"},
		"pieces over each other":  {made(1, piece{7, []byte{1, 2}}, piece{8, []byte{3}}), "two pieces of data are for byte 8"},
		"no room to unpack in":    {made(1, piece{pageSize - 3, []byte{1, 2, 3}}), "its memory is too small at first to unpack in"},
		"data at no fixed place":  {bytes.Replace(good, []byte{1, 0, 0x41, 7}, []byte{1, 0, 0x23, 7}, 1), "segment 0 is not at a constant place in the first memory"},
		"data that waits already": {bytes.Replace(good, []byte{1, 0, 0x41, 7}, []byte{1, 1, 0x41, 7}, 1), "segment 0 is not at a constant place in the first memory"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pack(c.module)
			if err == nil {
				t.Fatal("it was packed")
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
