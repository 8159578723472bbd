package plugin

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/gate"
	"github.com/postern-auth/postern/internal/httpmsg"
)

func TestSeveralFieldsOfANameAllReachTheApplicationAndNoneOfTheClients(t *testing.T) {
	h, p := plain(t)
	h.Maps[abi.RequestHeaders] = [][2]string{
		{":path", "/"}, {"x-role", "root"}, {"x-user", "eve"}, {"x-kept", "1"}, {"x-role", "admin"},
	}
	s := &stream{plugin: p, id: 2}
	s.carryOut(gate.Verdict{Forward: &gate.Forward{Set: httpmsg.Fields{
		{Name: "x-role", Value: "one"}, {Name: "x-role", Value: "two"}, {Name: "x-role", Value: "three"}, {Name: "x-user", Value: "alice"},
	}}})
	var roles []string
	rest := map[string]string{}
	for _, f := range h.Maps[abi.RequestHeaders] {
		if f[0] == "x-role" {
			roles = append(roles, f[1])
		} else {
			rest[f[0]] += f[1]
		}
	}
	if diff := cmp.Diff([]string{"one", "two", "three"}, roles); diff != "" || s.state != forwarded {
		t.Errorf("roles: %s", diff)
	}
	if diff := cmp.Diff(map[string]string{":path": "/", "x-user": "alice", "x-kept": "1"}, rest); diff != "" {
		t.Error(diff)
	}
}

func TestARequestDoesNotPassWhoseSecondFieldOfANameCouldNotBeSet(t *testing.T) {
	h, p := plain(t)
	h.Maps[abi.RequestHeaders] = [][2]string{{":path", "/"}}
	s := &stream{plugin: p, id: 2}
	s.carryOut(gate.Verdict{Forward: &gate.Forward{Set: httpmsg.Fields{{Name: "x-role", Value: "one"}, {Name: "x-role", Value: "two\r\nx-evil: 1"}}}})
	if s.state != responded || len(h.Responses) != 1 || h.Responses[0].Status != 503 {
		t.Errorf("state %d, responses %v", s.state, h.Responses)
	}
}
