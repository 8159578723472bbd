package plugin

import (
	"strconv"

	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// OnHttpResponseHeaders implements types.HttpContext: it keeps an application
// from setting cookies of our names, and adds those that the gate has for the
// browser. Our own answers pass here as well.
func (s *stream) OnHttpResponseHeaders(int, bool) types.Action {
	if s.state != forwarded {
		s.keepStatus()
		return types.ActionContinue
	}
	if s.plain {
		return types.ActionContinue
	}
	s.askForCookies()
	if err := s.editResponse(); err != nil {
		abi.Log(abi.LevelError, "postern: "+err.Error())
		if err := abi.RemoveHeader(abi.ResponseHeaders, "set-cookie"); err != nil {
			abi.Log(abi.LevelError, "postern: "+err.Error())
		}
	}
	return types.ActionContinue
}

// keepStatus has an answer that is not the application's keep the status that
// was meant. A host gives its own answers to requests of gRPC's content type the
// status 200, and another proxy, which asks by a subrequest with the content
// type of somebody's request, would take that for a yes. Before anything is
// decided no answer says yes, whoever gives it.
func (s *stream) keepStatus() {
	got, _, err := abi.HeaderValue(abi.ResponseHeaders, ":status")
	meant := strconv.Itoa(s.status)
	if s.state == undecided {
		meant = "503"
	}
	if err == nil && got != "200" || s.state == responded && s.status == 0 || got == meant {
		return
	}
	if err := abi.ReplaceHeader(abi.ResponseHeaders, ":status", meant); err != nil {
		abi.Log(abi.LevelError, "postern: "+err.Error())
	}
}

// askForCookies asks the gate once, when the first answer is there.
func (s *stream) askForCookies() {
	if s.asks != nil {
		s.cookies, s.asks = s.asks(), nil
	}
}

func (s *stream) editResponse() error {
	if len(s.cookies) == 0 {
		_, some, err := abi.HeaderValue(abi.ResponseHeaders, "set-cookie")
		if err == nil && !some {
			return nil
		}
	}
	pairs, err := abi.AppendHeaderPairs(nil, abi.ResponseHeaders)
	if err != nil {
		return err
	}
	if err := s.keepCookies(pairs); err != nil || len(s.cookies) == 0 || informational(pairs) {
		return err
	}
	cookies := s.cookies
	s.cookies = nil
	if err := makePrivate(pairs); err != nil {
		return err
	}
	for _, c := range cookies {
		if err := abi.AddHeader(abi.ResponseHeaders, c.Name, c.Value); err != nil {
			return err
		}
	}
	return nil
}

// informational reports whether an answer comes before the real one, which is
// to have the cookies: browsers may ignore them here (RFC 9110, section 15.2).
// An answer that changes the protocol is the only one.
func informational(pairs [][2]string) bool {
	for _, p := range pairs {
		if p[0] == ":status" {
			return p[1] < "200" && p[1] != "101"
		}
	}
	return false
}

// makePrivate keeps caches that several people share from handing out a
// session. It comes before the cookies: a failure must not leave them alone.
func makePrivate(pairs [][2]string) error {
	var values []string
	for _, p := range pairs {
		switch {
		case p[0] == "cache-control":
			values = append(values, p[1])
		case httpmsg.ForSharedCaches(p[0]):
			if err := abi.RemoveHeader(abi.ResponseHeaders, p[0]); err != nil {
				return err
			}
		}
	}
	return abi.ReplaceHeader(abi.ResponseHeaders, "cache-control", httpmsg.PrivateCacheControl(values))
}

// keepCookies takes our names out of the application's Set-Cookie fields and
// leaves the others as they are.
func (s *stream) keepCookies(pairs [][2]string) error {
	var kept []string
	dropped := false
	for _, p := range pairs {
		if p[0] != "set-cookie" {
			continue
		}
		if s.plugin.gate.OwnsCookie(httpmsg.SetCookieName(p[1])) {
			dropped = true
		} else {
			kept = append(kept, p[1])
		}
	}
	if !dropped {
		return nil
	}
	if err := abi.RemoveHeader(abi.ResponseHeaders, "set-cookie"); err != nil {
		return err
	}
	for _, value := range kept {
		if err := abi.AddHeader(abi.ResponseHeaders, "set-cookie", value); err != nil {
			return err
		}
	}
	return nil
}
