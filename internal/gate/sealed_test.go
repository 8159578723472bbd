package gate

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-auth/postern/internal/session"
)

var sealRelease = flag.String("seal-release", "", "seal values with this code, as those of the release of this name, in testdata/sealed")

const sealedDir = "../../testdata/sealed"

// sealed are values as a release left them in browsers, in Redis and in Envoy's
// shared memory. Keys and clock are those of newWorld.
type sealed struct {
	At     int64             // seconds since 1970
	Values map[string]string // by what they are
	Keys   []jose.JSONWebKey // public, by which applications are told, and to which tokens are bound
	Memory map[string][]byte
}

const (
	sealedTransaction = "transaction-0001" // of 16 bytes
	sealedOrigin      = "https://app.example.com"
)

// largeAlice has tokens that take several cookies.
func (w *world) largeAlice() *session.Session {
	s := w.alice()
	random := make([]byte, 6000)
	_, _ = rand.Read(random) // which does not shrink
	s.AccessToken = strings.ToValidUTF8(string(random), "x")
	return s
}

// seal makes the values of a release, with the code that it has.
func seal(t *testing.T) sealed {
	t.Helper()
	w := newWorld(t, 1, parts{top: sealedForward})
	s := sealed{At: w.now.Unix(), Values: map[string]string{}, Memory: map[string][]byte{}}
	k := w.workers[0].keys
	s.Values["session"] = w.cookie(w.alice())
	s.Values["session of several cookies"] = w.cookie(w.largeAlice())
	w.sealLogin(s.Values)
	w.sealStored(s.Values)
	for name, make := range map[string]func() (string, error){
		"need":     func() (string, error) { return k.SealNeed(session.Need{Renew: true, Made: w.now.Unix()}) },
		"sign-out": func() (string, error) { return k.SealSignOut(session.SignOut{Return: "/bye", Made: w.now.Unix()}) },
		"start": func() (string, error) {
			return k.SealStart(session.Start{Return: sealedOrigin + "/page", Provider: "main", Made: w.now.Unix()})
		},
		"ticket": func() (string, error) {
			return k.SealTicket(session.Ticket{Return: "/page", Code: "code-1", Made: w.now.Unix(), App: session.Application{
				Origin: sealedOrigin, ID: []byte(sealedTransaction), Bound: []byte(strings.Repeat("b", 32)), Party: []byte("party")}})
		},
	} {
		value, err := make()
		if err != nil {
			t.Fatal(err)
		}
		s.Values[name] = value
	}
	s.Keys = sealedKeys(t, k)
	ended := w.alice()
	ended.ID, ended.SID = "session-that-was-ended", "sid-2"
	s.Values["session that was ended"] = w.cookie(ended)
	w.signOut(w.workers[0], s.Values["session that was ended"])
	for _, name := range w.memory.Names() {
		s.Memory[name], _, _ = w.memory.Get(name)
	}
	return s
}

// sealedForward has the access token kept in the session.
const sealedForward = `,"forward":{"access_token":["authorization"]}`

// sealLogin begins a login, and keeps a form over it.
func (w *world) sealLogin(values map[string]string) {
	w.t.Helper()
	k := w.workers[0].keys
	b, _, err := session.NewBinding(nil, w.now, rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	state, proof, err := k.BeginLogin(b, session.Login{Provider: "main", Return: "/page?n=1"}, "shop", w.now, rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	binding, err := k.SealBinding(b)
	if err != nil {
		w.t.Fatal(err)
	}
	form, err := k.SealForm(b, sealedOrigin, session.Form{Action: "/orders", Made: w.now.Unix(), Body: []byte("item=1")}, rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	values["binding"], values["state"], values["form"] = binding, state, form
	values["verifier"], values["nonce"] = proof.Verifier, proof.Nonce
}

// sealStored seals a session for the store, and the ticket for it.
func (w *world) sealStored(values map[string]string) {
	w.t.Helper()
	k := w.workers[0].keys
	ticket, err := session.NewStored(rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	parts, err := k.StoredParts(ticket)
	if err != nil {
		w.t.Fatal(err)
	}
	stored, err := k.SealStored(ticket, w.alice(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	values["ticket for a stored session"], values["stored session"], values["its name"] = parts[0], stored, ticket.Name()
}

func sealedKeys(t *testing.T, k *session.Keyring) (keys []jose.JSONWebKey) {
	t.Helper()
	signing, err := k.SigningKeys()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range signing {
		keys = append(keys, jose.JSONWebKey{Key: key.Public()})
	}
	for _, id := range []string{"new", "old"} {
		keys = append(keys, jose.JSONWebKey{Key: session.ProofKeys{Keyring: k}.Key(id).Public(), KeyID: id})
	}
	return keys
}

// TestReleasesSeal adds the values of a release. Those that are there stay as
// they are: they cannot be made again.
func TestReleasesSeal(t *testing.T) {
	if *sealRelease == "" {
		seal(t) // it still can be done
		return
	}
	text, err := json.MarshalIndent(seal(t), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(sealedDir, filepath.Base(*sealRelease)+".json"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		t.Fatalf("%s has its values already", *sealRelease)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(append(text, '\n')); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhatOlderReleasesSealedOpens(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sealedDir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no values of releases, error %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var s sealed
			if err := json.Unmarshal(text, &s); err != nil {
				t.Fatal(err)
			}
			s.check(t)
		})
	}
}

func (s *sealed) check(t *testing.T) {
	w := newWorld(t, 1, parts{top: sealedForward})
	w.now = time.Unix(s.At, 0)
	k := w.workers[0]
	for _, name := range []string{"session", "session of several cookies", "session that was ended"} {
		v := w.get(k, "/page", s.Values[name]).want("forwarded alice")
		if v.told("x-auth-request-email") != "alice@example.com" || v.told("x-auth-request-groups") != "admins" || v.told("authorization") == "" {
			t.Errorf("%s: another identity", name)
		}
	}
	w.checkSealedLogin(s.Values)
	w.checkSealedStored(s.Values)
	for name, opens := range map[string]func(string) bool{
		"need":     func(v string) bool { n, err := k.keys.OpenNeed(v, w.now); return err == nil && n.Renew },
		"sign-out": func(v string) bool { o, err := k.keys.OpenSignOut(v, w.now); return err == nil && o.Return == "/bye" },
		"start": func(v string) bool {
			o, err := k.keys.OpenStart(v, w.now)
			return err == nil && o.Return == sealedOrigin+"/page" && o.Provider == "main"
		},
		"ticket": func(v string) bool {
			o, err := k.keys.OpenTicket(v)
			return err == nil && !o.Expired(w.now) && o.Code == "code-1" && string(o.App.ID) == sealedTransaction && o.App.Origin == sealedOrigin
		},
	} {
		if !opens(s.Values[name]) {
			t.Errorf("%s does not open, or holds something else", name)
		}
	}
	s.checkKeys(t, k.keys)
	s.checkMemory(t)
}

func (w *world) checkSealedLogin(values map[string]string) {
	w.t.Helper()
	k := w.workers[0].keys
	b, err := k.OpenBinding(values["binding"], w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	login, err := k.OpenLogin(values["state"])
	if err != nil {
		w.t.Fatal(err)
	}
	proof, err := k.Prove(b, login, "shop")
	if err != nil || proof.Verifier != values["verifier"] || proof.Nonce != values["nonce"] || login.Return != "/page?n=1" {
		w.t.Errorf("a login under way cannot be finished: %v", err)
	}
	form, err := k.OpenForm(b, sealedOrigin, values["form"], w.now, time.Hour)
	if err != nil || form.Action != "/orders" || string(form.Body) != "item=1" {
		w.t.Errorf("a form that was kept: %v", err)
	}
}

func (w *world) checkSealedStored(values map[string]string) {
	w.t.Helper()
	k := w.workers[0].keys
	chunks := session.ChunksOf([]string{values["ticket for a stored session"]})
	ticket, err := k.ParseStored(chunks.Join())
	if err != nil || !chunks.IsTicket() || ticket.Name() != values["its name"] {
		w.t.Fatalf("a ticket for a stored session: %v", err)
	}
	s, err := k.OpenStored(ticket, values["stored session"])
	if err != nil || s.Subject != w.alice().Subject || s.RefreshToken != w.alice().RefreshToken {
		w.t.Errorf("a stored session: %v", err)
	}
}

// checkKeys wants the derived keys to be the same: applications have the public
// ones, and providers have bound tokens to them.
func (s *sealed) checkKeys(t *testing.T, k *session.Keyring) {
	t.Helper()
	for i, key := range sealedKeys(t, k) {
		text, err := key.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if old, err := s.Keys[i].MarshalJSON(); err != nil || !slices.Equal(text, old) {
			t.Errorf("key %d is another one: %v", i, err)
		}
	}
}

// checkMemory begins a worker of this release beside, or after, those of the
// older one: what these ended is ended.
func (s *sealed) checkMemory(t *testing.T) {
	t.Helper()
	w := newWorld(t, 0, parts{top: sealedForward})
	w.now = time.Unix(s.At, 0).Add(time.Second)
	for name, value := range s.Memory {
		w.memory.Set(name, value, 0)
	}
	k := w.begin(w.settings)
	w.get(k, "/page", s.Values["session that was ended"]).want("login")
	w.get(k, "/page", s.Values["session"]).want("forwarded alice")
	if after := len(w.memory.Names()); after != len(s.Memory) {
		t.Errorf("%d slots have become %d", len(s.Memory), after)
	}
}

// Replicas are given new settings one after another.
func TestASessionIsGoodUnderOldAndNewSettings(t *testing.T) {
	before, after := newWorld(t, 1, parts{}), newWorld(t, 1, parts{
		session: `,"lifetime":"24h","idle":"1h"`, top: sealedForward, rules: `[{"match":{"paths":["/page"]},"require":{"groups":["admins"]}}]`,
	})
	for i, cookie := range []string{before.cookie(before.alice()), after.cookie(after.alice())} {
		for j, w := range []*world{before, after} {
			if got := w.get(w.workers[0], "/page", cookie).outcome(); got != "forwarded alice" {
				t.Errorf("a session of %d at %d: %s", i, j, got)
			}
		}
	}
}

// However often settings change, they share the same slots.
func TestChangesOfSettingsTakeNoMoreSharedMemory(t *testing.T) {
	w := newWorld(t, 1, parts{})
	cookie := w.cookie(w.alice())
	w.signOut(w.workers[0], cookie)
	before := len(w.memory.Names())
	for _, p := range []parts{
		{session: `,"lifetime":"24h"`}, {top: sealedForward}, {provider: `,"scopes":["openid","email"]`}, {rules: `[{"match":{"paths":["/shop/*"]},"allow":"anyone"}]`}, {session: `,"idle":"1h"`},
	} {
		w.begin(testSettings(t, p))
		w.tick()
	}
	if after := len(w.memory.Names()); after != before {
		t.Errorf("%d slots have become %d", before, after)
	}
}
