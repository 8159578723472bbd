package session

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/postern-auth/postern/internal/httpmsg"
)

var now = time.Unix(1_800_000_000, 0)

// counter is a source of bytes that never repeat themselves in a test.
type counter struct{ n uint64 }

func (c *counter) Read(b []byte) (int, error) {
	for i := range b {
		c.n = c.n*6364136223846793005 + 1442695040888963407
		b[i] = byte(c.n >> 56)
	}
	return len(b), nil
}

func key(id string, fill byte) Key { return Key{ID: id, Secret: bytes.Repeat([]byte{fill}, 32)} }

func ring(t testing.TB, keys ...Key) *Keyring {
	t.Helper()
	r, err := NewKeyring(keys)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func someSession() *Session {
	return &Session{
		ID: "s-1", Provider: "main", Issuer: "https://id.example.com", ClientID: "shop", Subject: "u-1",
		Begun:       MomentOf(now),
		Claims:      map[string]Claim{"user": {Values: []string{"al"}}, "groups": {List: true, Values: []string{"a", "b"}}},
		AccessToken: noise(900), IDToken: noise(800), RefreshToken: noise(700),
	}
}

// noise does not compress.
func noise(n int) string {
	b := make([]byte, n)
	x := uint32(n)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[x>>26]
	}
	return string(b)
}

func TestASessionOpensToWhatWasSealed(t *testing.T) {
	r := ring(t, key("k", 1))
	want := someSession()
	sealed, dropped, err := r.SealSession(want, 12288)
	if err != nil || dropped != nil {
		t.Fatalf("sealed: %v, dropped %v", err, dropped)
	}
	got, err := r.OpenSession(sealed, now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Session{})); diff != "" {
		t.Error(diff)
	}
}

func TestAValueOpensForItsOwnPurposeOnly(t *testing.T) {
	r := ring(t, key("k", 1))
	purposes := []Purpose{PurposeSession, PurposeBinding, PurposeState, PurposeStart}
	for _, p := range purposes {
		sealed, err := r.Seal(p, []byte("{}"), false)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range purposes {
			if _, _, err := r.Open(q, sealed, 4096); (err == nil) != (p == q) {
				t.Errorf("sealed as %s, opened as %s: %v", p, q, err)
			}
		}
	}
}

func TestKeysRotateWithoutLosingASession(t *testing.T) {
	old, renewed := ring(t, key("a", 1)), ring(t, key("b", 2), key("a", 1))
	sealed, _, err := old.SealSession(someSession(), 12288)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := renewed.OpenSession(sealed, now, time.Hour); err != nil {
		t.Errorf("a session under the key before: %v", err)
	}
	sealed, _, err = renewed.SealSession(someSession(), 12288)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.OpenSession(sealed, now, time.Hour); !errors.Is(err, ErrSealed) {
		t.Errorf("a gate without the new key opened it: %v", err)
	}
	if _, err := ring(t, key("b", 3)).OpenSession(sealed, now, time.Hour); !errors.Is(err, ErrSealed) {
		t.Errorf("another key under the same id opened it: %v", err)
	}
}

func TestALoginUnderWaySurvivesAChangeOfKeys(t *testing.T) {
	old, renewed := ring(t, key("a", 1)), ring(t, key("b", 2), key("a", 1))
	b, _, err := NewBinding(nil, now, &counter{})
	if err != nil {
		t.Fatal(err)
	}
	cookie, err := old.SealBinding(b)
	if err != nil {
		t.Fatal(err)
	}
	state, want, err := old.BeginLogin(b, Login{Provider: "main", Return: "/"}, "shop", now, &counter{})
	if err != nil {
		t.Fatal(err)
	}
	back, err := renewed.OpenBinding(cookie, now)
	if err != nil {
		t.Fatal(err)
	}
	l, err := renewed.OpenLogin(state)
	if err != nil {
		t.Fatal(err)
	}
	got, err := renewed.Prove(back, l, "shop")
	if err != nil || got != want {
		t.Errorf("got %v, %v", got == want, err)
	}
}

func TestASealedValueThatWasTouchedDoesNotOpen(t *testing.T) {
	r := ring(t, key("k", 1))
	sealed, _, err := r.SealSession(someSession(), 12288)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(sealed, ".")
	header := func(h string) string {
		return strings.Join(append([]string{base64.RawURLEncoding.EncodeToString([]byte(h))}, parts[1:]...), ".")
	}
	for name, touched := range map[string]string{
		"cut at the end":               sealed[:len(sealed)-1],
		"cut at the start":             sealed[1:],
		"one character changed":        sealed[:200] + string(sealed[200]^1) + sealed[201:],
		"its tag gone":                 strings.Join(parts[:4], ".") + ".",
		"its tag cut":                  sealed[:len(sealed)-4],
		"something behind it":          sealed + "AAAA",
		"a dot more":                   sealed + ".",
		"another algorithm":            header(`{"alg":"none","enc":"A256GCM","kid":"k","typ":"postern-session","zip":"DEF"}`),
		"another way to its key":       header(`{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","kid":"k","p2c":1000000,"p2s":"AAAA"}`),
		"an id that is not known":      header(`{"alg":"dir","enc":"A256GCM","kid":"x"}`),
		"no compression said":          header(`{"alg":"dir","enc":"A256GCM","kid":"k"}`),
		"a header without end":         header(`{"alg":"dir","enc":"A256GCM","kid":"k","x":` + strings.Repeat("[", 30_000)),
		"nothing":                      "",
		"another spelling of its end":  sealed[:len(sealed)-1] + respelled(sealed[len(sealed)-1]),
		"many dots":                    strings.Repeat(".", 60_000),
		"60 KB of something":           noise(60 << 10),
		"more than is looked at":       sealed + noise(maxSealed),
		"its JSON form":                `{"protected":"` + parts[0] + `","iv":"` + parts[2] + `","ciphertext":"` + parts[3] + `","tag":"` + parts[4] + `"}`,
		"a line break in its base64":   sealed[:100] + "\n" + sealed[100:],
		"an encrypted key in dir mode": parts[0] + ".AAAA." + strings.Join(parts[2:], "."),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := r.OpenSession(touched, now, time.Hour); !errors.Is(err, ErrSealed) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// respelled is another last character that decoders which are not strict read
// as the given one.
func respelled(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)+1])
}

func TestAHeaderThatWouldEndTheVMIsNotRead(t *testing.T) {

	header := `{"alg":"dir","enc":"A256GCM","kid":"k","x":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`
	value := base64.RawURLEncoding.EncodeToString([]byte(header)) + "..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA"
	if len(value) > maxSealed {
		t.Fatal("the value is refused for its length alone")
	}
	if wellFormed(value) {
		t.Error("it would be read, and by recursion")
	}
}

func TestASessionEndsWithItsLifetime(t *testing.T) {
	r := ring(t, key("k", 1))
	sealed, _, err := r.SealSession(someSession(), 12288)
	if err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]error{
		time.Hour - time.Second:  nil,
		time.Hour:                ErrExpired,
		-clockStep:               nil, // another gate's clock
		-clockStep - time.Second: ErrExpired,
	} {
		if _, err := r.OpenSession(sealed, now.Add(after), time.Hour); !errors.Is(err, want) {
			t.Errorf("after %s: %v", after, err)
		}
	}
}

func TestTokensAreLeftOutInOrderWhereASessionIsTooLarge(t *testing.T) {
	r := ring(t, key("k", 1))
	size := func(s *Session) int {
		sealed, _, err := r.SealSession(s, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		return len(sealed)
	}
	whole := size(someSession())
	for _, c := range []struct {
		limit   int
		dropped []string
		err     error
	}{
		{whole, nil, nil},
		{whole - 1, []string{"id_token"}, nil},
		{whole - 1000, []string{"id_token", "refresh_token"}, nil},
		{whole - 1600, []string{"id_token", "refresh_token", "access_token"}, nil},
		{100, []string{"id_token", "refresh_token", "access_token"}, ErrTooLarge},
	} {
		sealed, dropped, err := r.SealSession(someSession(), c.limit)
		if !errors.Is(err, c.err) || cmp.Diff(c.dropped, dropped) != "" || len(sealed) > c.limit {
			t.Errorf("limit %d: %d bytes, dropped %v, %v", c.limit, len(sealed), dropped, err)
		}
	}
}

func TestASessionNeverPrints(t *testing.T) {
	s := &Session{AccessToken: "secret", RefreshToken: "secret", IDToken: "secret"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if strings.Contains(fmt.Sprintf(verb, s), "secret") {
			t.Errorf("%s shows a token", verb)
		}
	}
}

func TestKeysThatWouldNotDoAreRefused(t *testing.T) {
	for name, keys := range map[string][]Key{
		"none":           nil,
		"one too short":  {{ID: "k", Secret: make([]byte, 31)}},
		"one id for two": {key("k", 1), key("k", 2)},
	} {
		if _, err := NewKeyring(keys); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestChunksAreReadAsTheyWereSplit(t *testing.T) {
	j := NewJar("__Host-postern")
	// Exact multiples of a cookie's size are where others lost sessions.
	for _, n := range []int{1, 10, ChunkBytes - 3, ChunkBytes - 2, ChunkBytes - 1, ChunkBytes, 2*ChunkBytes - 2, 2*ChunkBytes - 1, 5 * ChunkBytes, MaxChunks*ChunkBytes - 2} {
		sealed := noise(n)
		parts, err := j.Split(sealed)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		c, err := read(j, cookies(j, parts))
		if err != nil || c.Join() != sealed {
			t.Errorf("%d bytes in %d parts: %v", n, len(parts), err)
		}
		for _, part := range parts {
			if len(part) > ChunkBytes || part == "" {
				t.Errorf("%d bytes: a part of %d", n, len(part))
			}
		}
	}
	if _, err := j.Split(noise(MaxChunks*ChunkBytes - 1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("one too many: %v", err)
	}
}

func cookies(j Jar, parts []string) (f httpmsg.Fields) {
	for i, part := range parts {
		f = append(f, httpmsg.Field{Name: "cookie", Value: j.Name(i) + "=" + part})
	}
	return f
}

func read(j Jar, f httpmsg.Fields) (Chunks, error) {
	r := j.Reader()
	for name, value := range httpmsg.Cookies(f) {
		if r.Take(name, value) != j.Owns(name) {
			panic("the reader and the jar disagree about " + name)
		}
	}
	return r.Chunks()
}

func TestCookiesThatMakeNoWholeAreRefused(t *testing.T) {
	j := NewJar("p")
	for name, c := range map[string]struct {
		cookie string
		err    error
		empty  bool
	}{
		"none":                           {"other=1", nil, true},
		"a name that only begins alike":  {"pp=1.x; p-=1.x; p-0=1.x; p-10=1.x; P=1.x; p_1=2.x", nil, true},
		"the first part missing":         {"p-1=x", ErrChunks, false},
		"a later part missing":           {"p=3.x; p-1=x", ErrChunks, false},
		"a later part empty":             {"p=2.x; p-1=", ErrChunks, false},
		"no count":                       {"p=x", ErrChunks, false},
		"a count and nothing else":       {"p=1.", ErrChunks, false},
		"a count of nothing":             {"p=0.x", ErrChunks, false},
		"a count that is no digit":       {"p=x.x", ErrChunks, false},
		"a count that promises far more": {"p=9.x", ErrChunks, false},
		"a count of two digits":          {"p=10.x", ErrChunks, false},
		"the name twice":                 {"p=1.x; p=1.y", ErrTossed, false},
		"the name twice, the same value": {"p=1.x; p=1.x", ErrTossed, false},
		"a part twice":                   {"p=2.x; p-1=a; p-1=b", ErrTossed, false},
		"a part left over that is twice": {"p=1.x; p-1=a; p-1=b", ErrTossed, false},
		"a part left over":               {"p=1.x; p-1=a", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read(j, httpmsg.Fields{{Name: "cookie", Value: c.cookie}})
			if !errors.Is(err, c.err) || (err == nil && got.Empty() != c.empty) {
				t.Errorf("got %v, empty %v", err, got.Empty())
			}
		})
	}
}

func TestASecondCookieHeaderIsReadToo(t *testing.T) {
	j := NewJar("p")
	_, err := read(j, httpmsg.Fields{{Name: "cookie", Value: "p=1.x"}, {Name: "cookie", Value: "p=1.y"}})
	if !errors.Is(err, ErrTossed) {
		t.Errorf("got %v", err)
	}
}

func chunksOf(t testing.TB, value string) *Chunks {
	t.Helper()
	j := NewJar("p")
	parts, err := j.Split(value)
	if err != nil {
		t.Fatal(err)
	}
	c, err := read(j, cookies(j, parts))
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

func TestTheCacheKnowsExactValuesOnly(t *testing.T) {
	c := NewCache[int](1 << 20)
	long := noise(5000)
	c.Put(chunksOf(t, long), 7, 0)
	if v, ok := c.Get(chunksOf(t, long)); !ok || v != 7 {
		t.Errorf("got %d, %v", v, ok)
	}
	for name, other := range map[string]string{
		"a character less": long[:4999], "a character more": long + "A", "one changed": "!" + long[1:],
	} {
		if _, ok := c.Get(chunksOf(t, other)); ok {
			t.Errorf("%s: found", name)
		}
	}
	c.Forget(chunksOf(t, long))
	if _, ok := c.Get(chunksOf(t, long)); ok {
		t.Error("found what was forgotten")
	}
}

func TestStringsAreComparedWhole(t *testing.T) {
	for n := range 100 {
		a := noise(n)
		if !equalStrings(a, strings.Clone(a)) {
			t.Errorf("%d bytes differ from themselves", n)
		}
		for i := range n {
			if equalStrings(a, a[:i]+string(a[i]^1)+a[i+1:]) {
				t.Errorf("%d bytes: a change at %d was missed", n, i)
			}
		}
		if equalStrings(a, a+"x") || n > 0 && equalStrings(a, a[1:]) {
			t.Errorf("%d bytes equal another length", n)
		}
	}
}

func TestTheCacheStaysWithinItsBytesAndKeepsWhatIsUsed(t *testing.T) {
	const limit = 64 << 10
	c := NewCache[int](limit)
	used := chunksOf(t, "used")
	c.Put(used, 1, 0)
	for i := range 10_000 {
		c.Put(chunksOf(t, fmt.Sprintf("value %d", i)), i, 1000)
		if _, ok := c.Get(used); !ok {
			t.Fatalf("what is used was lost after %d others", i)
		}
		if c.size > limit/2 || len(c.young)+len(c.old) > limit/1000 {
			t.Fatalf("%d bytes in the young half, %d entries", c.size, len(c.young)+len(c.old))
		}
	}
}

func TestACacheOfNoBytesRemembersNothing(t *testing.T) {
	c := NewCache[int](0)
	c.Put(chunksOf(t, "x"), 1, 0)
	if _, ok := c.Get(chunksOf(t, "x")); ok {
		t.Error("found")
	}
}

func FuzzOpenSession(f *testing.F) {
	r := ring(f, key("k", 1))
	sealed, _, err := r.SealSession(someSession(), 12288)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add("a.b.c.d.e")
	f.Add(strings.Repeat(".", 100))
	f.Fuzz(func(t *testing.T, s string) {
		got, err := r.OpenSession(s, now, time.Hour)
		if err == nil && cmp.Diff(someSession(), got, cmpopts.IgnoreUnexported(Session{})) != "" {
			t.Error("what was never sealed opened")
		}
	})
}

func FuzzReadChunks(f *testing.F) {
	f.Add("p=1.x; p-1=y", "p=2.a")
	f.Add("p=9.x", "")
	j := NewJar("p")
	f.Fuzz(func(t *testing.T, a, b string) {
		c, err := read(j, httpmsg.Fields{{Name: "cookie", Value: a}, {Name: "cookie", Value: b}})
		if err == nil && len(c.Join()) > len(a)+len(b) {
			t.Error("joined more than was sent")
		}
	})
}
