package abi

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The vectors were laid out by hand from the specification's words.
var pairVectors = []struct {
	name  string
	hex   string
	pairs [][2]string
}{
	{"no pairs at all", "00000000", nil},
	{"one pair", "01000000 02000000 01000000 6162 00 63 00", [][2]string{{"ab", "c"}}},
	{"an empty value keeps its NUL", "01000000 01000000 00000000 61 00 00", [][2]string{{"a", ""}}},
	{"a repeated name stays repeated, in order",
		"02000000 01000000 01000000 01000000 02000000 61 00 31 00 61 00 3232 00",
		[][2]string{{"a", "1"}, {"a", "22"}}},
	{"bytes beyond ASCII pass as they are", "01000000 01000000 02000000 61 00 c3a9 00", [][2]string{{"a", "é"}}},
}

func TestPairsFollowTheSpecification(t *testing.T) {
	for _, v := range pairVectors {
		t.Run(v.name, func(t *testing.T) {
			block, err := encodePairs(v.pairs)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(unhex(t, v.hex), block); diff != "" {
				t.Errorf("encoded (-want +got):\n%s", diff)
			}
			pairs, err := decodePairs(nil, unhex(t, v.hex))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v.pairs, pairs); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodePairsRefuses(t *testing.T) {
	for _, test := range []struct{ name, hex string }{
		{"a block shorter than its count", "0100"},
		{"a count without lengths", "01000000"},
		{"a count that no memory could hold", "ffffffff 01000000 01000000 61 00 62 00"},
		{"a name longer than the block", "01000000 ffffffff 01000000 61 00 62 00"},
		{"a value longer than the block", "01000000 01000000 ffffff7f 61 00 62 00"},
		{"a name without its NUL", "01000000 01000000 01000000 61 78 62 00"},
		{"a value without its NUL", "01000000 01000000 01000000 61 00 62 78"},
		{"a value that ends the block before its NUL", "01000000 01000000 01000000 61 00 62"},
		{"bytes after the last pair", "01000000 01000000 01000000 61 00 62 00 00"},
		{"bytes after no pair", "00000000 00"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := [][2]string{{"kept", "yes"}}
			pairs, err := decodePairs(before, unhex(t, test.hex))
			if !errors.Is(err, errPairs) {
				t.Errorf("error %v, want %v", err, errPairs)
			}
			if diff := cmp.Diff(before, pairs); diff != "" {
				t.Errorf("pairs appended in spite of the error:\n%s", diff)
			}
		})
	}
}

func TestDecodePairsAppendsToWhatTheCallerHas(t *testing.T) {
	store := make([][2]string, 1, 8)
	store[0] = [2]string{"first", "1"}
	pairs, err := decodePairs(store, unhex(t, pairVectors[1].hex))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][2]string{{"first", "1"}, {"ab", "c"}}, pairs); diff != "" {
		t.Error(diff)
	}
	if &pairs[0] != &store[0] {
		t.Error("the caller's store was left though it had room")
	}
}

func TestAHostileCountAllocatesNothing(t *testing.T) {
	block := append(binary.LittleEndian.AppendUint32(nil, 1<<31), make([]byte, 64)...)
	if n := testing.AllocsPerRun(10, func() { _, _ = decodePairs(nil, block) }); n != 0 {
		t.Errorf("%v allocations for a refused block", n)
	}
}

func TestEncodePairsRefuses(t *testing.T) {
	full := func(n int) [][2]string {
		pairs := make([][2]string, n)
		for i := range pairs {
			pairs[i] = [2]string{"n", "v"}
		}
		return pairs
	}
	// One pair that fills the limit exactly: count, lengths, "n", two NUL.
	fits := maxPairsBytes - 4 - pairOverhead - 1
	for _, test := range []struct {
		name  string
		pairs [][2]string
		want  error
	}{
		{"nothing about 1024 pairs", full(1024), nil},
		{"1025 pairs, which the host would lose", full(1025), ErrTooLarge},
		{"nothing about a block of 1 MiB", [][2]string{{"n", strings.Repeat("v", fits)}}, nil},
		{"a block of 1 MiB and a byte, which the host would lose", [][2]string{{"n", strings.Repeat("v", fits+1)}}, ErrTooLarge},
		{"a value with a line feed", [][2]string{{"location", "/\nset-cookie: a=b"}}, ErrBadArgument},
		{"a value with a carriage return", [][2]string{{"location", "/\rx"}}, ErrBadArgument},
		{"a value with a NUL", [][2]string{{"location", "/\x00"}}, ErrBadArgument},
		{"a name with a line feed", [][2]string{{"a\nb", ""}}, ErrBadArgument},
		{"an empty name", [][2]string{{"", "x"}}, ErrBadArgument},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := encodePairs(test.pairs); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}

func FuzzDecodePairs(f *testing.F) {
	for _, v := range pairVectors {
		b, _ := hex.DecodeString(strings.ReplaceAll(v.hex, " ", ""))
		f.Add(b)
	}
	f.Add([]byte("\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00axbx"))
	f.Add([]byte("\xff\xff\xff\xff\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, block []byte) {
		pairs, err := decodePairs(nil, block)
		if err != nil {
			if len(pairs) != 0 {
				t.Fatalf("pairs with an error: %q", pairs)
			}
			return
		}
		if len(block) > 0 && !bytes.Equal(layOut(pairs), block) {
			t.Fatalf("%x decodes to %q, which is laid out as %x", block, pairs, layOut(pairs))
		}
	})
}

func BenchmarkDecodePairs(b *testing.B) {
	var pairs [][2]string
	for range 21 {
		pairs = append(pairs, [2]string{"sec-ch-ua-platform", "something usual"})
	}
	block := layOut(append(pairs, [2]string{"cookie", strings.Repeat("x", 4096)}))
	store := make([][2]string, 0, 32)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodePairs(store, block); err != nil {
			b.Fatal(err)
		}
	}
}
