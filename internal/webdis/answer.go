package webdis

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// maxFrame is what an answer may have around the values that were asked for.
const maxFrame = 1 << 10

// do sends one command and returns its answer, of which the values may have so
// many bytes.
func (c *Client) do(env flow.Env, values int, words ...string) (answer, error) {
	verb, body := words[0], strings.Join(words, "/")
	mark := c.mark(env, body)
	call := flow.Call{
		Provider: "webdis", Step: strings.ToLower(verb),
		Cluster: c.cluster, Method: "POST", Scheme: "http", Authority: "webdis",
		Path: "/?jsonp=" + mark, Body: []byte(body), Timeout: c.timeout, MaxBody: maxFrame + values,
		Header: httpmsg.Fields{{Name: "accept-encoding", Value: "identity"}},
	}
	if c.authorization.IsSet() {
		call.Header = append(call.Header, httpmsg.Field{Name: "authorization", Value: c.authorization.Reveal()})
	}
	r, err := env.Fetch(call)
	if err != nil {
		return answer{}, fmt.Errorf("webdis: %s: %w: %w", verb, ErrAway, err)
	}
	return read(verb, mark, r)
}

// mark is what the answer to a call must carry, by way of JSONP. Webdis before
// 0.1.20 sends the answer to a client that has left to whoever connected next
// (it remembers the number of the socket): without a mark, one gate's "no"
// could be taken for another's "yes". A mark is no secret; it is another for
// each command and each moment.
func (c *Client) mark(env flow.Env, body string) string {
	c.calls++
	input := binary.BigEndian.AppendUint64(nil, c.calls)
	input = binary.BigEndian.AppendUint64(input, uint64(env.Now().UnixNano()))
	sum := sha256.Sum256(append(input, body...))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// answer is what Redis answered to a command: the one member of Webdis' JSON.
type answer struct {
	verb string
	json json.RawMessage
}

// read takes the answer to a command out of Webdis' own.
func read(verb, mark string, r flow.Response) (answer, error) {
	switch r.Status {
	case 200:
	case 403:
		return answer{}, refused(verb, "password or command not allowed")
	default:
		return answer{}, away(verb, "status "+strconv.Itoa(r.Status))
	}
	text, marked := bytes.CutPrefix(r.Body, []byte(mark+"("))
	text, closed := bytes.CutSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte(");"))
	if !marked || !closed {
		return answer{}, away(verb, "not the answer to this call")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || len(members) != 1 || members[verb] == nil {
		return answer{}, away(verb, "answer malformed")
	}
	a := answer{verb, members[verb]}
	return a, a.failure()
}

// failure is the error that Redis answered with, if it did.
func (a answer) failure() error {
	if !bytes.HasPrefix(a.json, []byte("[false,")) {
		return nil
	}
	var parts [2]any
	_ = json.Unmarshal(a.json, &parts)
	text, _ := parts[1].(string)
	// The rest of the sentence may repeat what was sent.
	code, _, _ := strings.Cut(text, " ")
	switch code {
	case "NOAUTH", "NOPERM", "WRONGPASS", "WRONGTYPE", "ERR":
		return refused(a.verb, code)
	case "LOADING", "OOM", "READONLY", "MISCONF", "MASTERDOWN", "BUSY":
		return away(a.verb, code)
	}
	return away(a.verb, "an error that is not known")
}

// status reads OK, or the nothing that stands for a condition not met.
func (a answer) status() (ok bool, err error) {
	switch string(a.json) {
	case `[true,"OK"]`:
		return true, nil
	case "null":
		return false, nil
	}
	return false, away(a.verb, "answer malformed")
}

// text reads one value of the caller's, or nothing.
func (a answer) text(most int) (value string, found bool, err error) {
	if string(a.json) == "null" {
		return "", false, nil
	}
	if err := json.Unmarshal(a.json, &value); err != nil || !valid(value, most) {
		return "", false, away(a.verb, "answer malformed")
	}
	return value, true, nil
}

// texts reads at most n values of the caller's.
func (a answer) texts(n, most int) ([]string, error) {
	var values []string
	if err := json.Unmarshal(a.json, &values); err != nil || len(values) > n || string(a.json) == "null" {
		return nil, away(a.verb, "answer malformed")
	}
	for _, value := range values {
		if !valid(value, most) {
			return nil, away(a.verb, "answer malformed")
		}
	}
	return values, nil
}

func (a answer) integer() (n int64, err error) {
	if err := json.Unmarshal(a.json, &n); err != nil || string(a.json) == "null" {
		return 0, away(a.verb, "answer malformed")
	}
	return n, nil
}
