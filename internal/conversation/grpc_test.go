package conversation

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/httpmsg"
)

func TestARefusedCallIsReadAsItsClientWould(t *testing.T) {
	const trailers = "\x80\x00\x00\x00\x27grpc-status:16\r\ngrpc-message: no\r\nx:y\r\n"
	typed := func(status int, contentType, body string, more ...httpmsg.Field) *Outcome {
		return &Outcome{Status: status, Body: body, Header: append(httpmsg.Fields{{Name: "content-type", Value: contentType}}, more...)}
	}
	sixteen := httpmsg.Field{Name: "grpc-status", Value: "16"}
	for name, tt := range map[string]struct {
		expected string
		answer   *Outcome
		want     string // what is left to compare, or "" for a failure
	}{
		"what is not about gRPC":            {"401 no_session", typed(401, "text/plain", ""), "401 no_session"},
		"gRPC":                              {"grpc 16 no_session", typed(200, "application/grpc", "", sixteen), "200 no_session"},
		"gRPC without a reason":             {"grpc 16", typed(200, "application/grpc", "", sixteen), "200"},
		"gRPC with another status":          {"grpc 7 no_session", typed(200, "application/grpc", "", sixteen), ""},
		"gRPC with an HTTP status":          {"grpc 16 no_session", typed(401, "application/grpc", "", sixteen), ""},
		"gRPC with a body":                  {"grpc 16 no_session", typed(200, "application/grpc", "x", sixteen), ""},
		"gRPC as another type":              {"grpc 16 no_session", typed(200, "application/json", "", sixteen), ""},
		"gRPC-Web":                          {"grpc-web 16 no_session", typed(200, "application/grpc-web+proto", trailers), "200 no_session"},
		"gRPC-Web as text":                  {"grpc-web 16 no_session", typed(200, "application/grpc-web-text+proto", base64.StdEncoding.EncodeToString([]byte(trailers))), "200 no_session"},
		"gRPC-Web as text that is none":     {"grpc-web 16 no_session", typed(200, "application/grpc-web-text", trailers), ""},
		"gRPC-Web with another status":      {"grpc-web 7 no_session", typed(200, "application/grpc-web", trailers), ""},
		"gRPC-Web that is cut short":        {"grpc-web 16 no_session", typed(200, "application/grpc-web", trailers[:len(trailers)-1]), ""},
		"gRPC-Web whose body is no trailer": {"grpc-web 16 no_session", typed(200, "application/grpc-web", strings.Replace(trailers, "\x80", "\x00", 1)), ""},
		"gRPC-Web without a body":           {"grpc-web 16 no_session", typed(200, "application/grpc-web", ""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := grpcAnswer(tt.expected, tt.answer)
			if (err == nil) != (tt.want != "") || err == nil && got != tt.want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	o := typed(200, "application/grpc-web", trailers)
	if _, err := grpcAnswer("grpc-web 16", o); err != nil {
		t.Fatal(err)
	}
	if message, _ := o.Header.Get("grpc-message"); message != "no" {
		t.Errorf("the message is %q", message)
	}
}
