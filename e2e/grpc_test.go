package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	grpcmeta "google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// grpcWorld is a gRPC service behind a gate whose listener speaks TLS.
type grpcWorld struct {
	*lab
	gate      *Gate
	authority *authority
	health    *health.Server
	callers   chan string // as whom the service's calls came
}

// TestGRPCServices is about gRPC, gRPC-Web, and tokens that are bound to a
// client's certificate.
func TestGRPCServices(t *testing.T) {
	w := newGRPCWorld(t)
	good, bad := w.token(t, signedResource), w.token(t, "https://stock.example.com/signed")
	Eventually(t, 90*time.Second, func() error { return w.check(t, "Bearer "+good) })
	w.drain()
	t.Run("a call with a good token reaches the service", func(t *testing.T) {
		if err := w.check(t, "Bearer "+good); err != nil {
			t.Fatal(err)
		}
		if caller := <-w.callers; caller != "a" {
			t.Errorf("the service was called by %q", caller)
		}
	})
	for name, test := range map[string]struct {
		authorization string
		want          codes.Code
	}{
		"without a token":                 {"", codes.Unauthenticated},
		"with one that is no token":       {"Bearer x", codes.Unauthenticated},
		"with one that is for another":    {"Bearer " + bad, codes.Unauthenticated},
		"with one that lacks a scope":     {"Bearer " + w.tokenWithoutScope(t), codes.PermissionDenied},
		"with one whose signature is cut": {"Bearer " + good[:len(good)-2], codes.Unauthenticated},
	} {
		t.Run("a call "+name+" is refused", func(t *testing.T) {
			err := w.check(t, test.authorization)
			if status.Code(err) != test.want || status.Convert(err).Message() == "" {
				t.Errorf("%v", err)
			}
			if len(w.callers) != 0 {
				t.Error("it reached the service")
			}
		})
	}
	t.Run("what no other token would cure is denied", func(t *testing.T) { w.denied(t, good) })
	t.Run("a stream", func(t *testing.T) { w.stream(t, good) })
	t.Run("gRPC-Web", func(t *testing.T) { w.web(t, good) })
	t.Run("a token that is bound to a certificate", w.boundToCertificate)
	checkLog(t, w.gate)
}

func newGRPCWorld(t *testing.T) *grpcWorld {
	t.Helper()
	w := &grpcWorld{lab: newLab(t), authority: newAuthority(t), health: health.NewServer(), callers: make(chan string, 100)}
	listener := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	server := grpc.NewServer(grpc.ChainUnaryInterceptor(w.note))
	grpc_health_v1.RegisterHealthServer(server, w.health)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	w.gate = launchService(t, EnvoySetup{
		App: listener.Addr().String(), AppHTTP2: true, IDP: w.tap.Addr(), Listener: w.authority.accepts(t, "INBOUND"),
		Filters: []object{typed("envoy.filters.http.grpc_web", "type.googleapis.com/envoy.extensions.filters.http.grpc_web.v3.GrpcWeb", nil)},
		Config: inboundSettings(w.Provider, w.b, Settings{
			"audiences": []string{signedResource}, "required_claims": Settings{"scope": []string{"orders"}},
		}),
	})
	w.gate.mustBeReady(t)
	return w
}

// note writes down who calls, as the gate says.
func (w *grpcWorld) note(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	received, _ := grpcmeta.FromIncomingContext(ctx)
	w.callers <- strings.Join(received.Get("x-auth-request-user"), " | ")
	return handler(ctx, request)
}

func (w *grpcWorld) drain() {
	for len(w.callers) > 0 {
		<-w.callers
	}
}

// tokenWithoutScope is made out to the service, for nothing in particular.
func (w *grpcWorld) tokenWithoutScope(t *testing.T) string {
	t.Helper()
	var tokens Tokens
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {signedResource}}
	if err := w.a.Ask("token_endpoint", form, nil, &tokens); err != nil {
		t.Fatal(err)
	}
	return tokens.Access
}

// dial opens a connection, with a certificate or without.
func (w *grpcWorld) dial(t *testing.T, certificates ...tls.Certificate) grpc_health_v1.HealthClient {
	t.Helper()
	conn := must(grpc.NewClient(w.gate.Addr, grpc.WithTransportCredentials(credentials.NewTLS(clientTLS(certificates...)))))(t)
	t.Cleanup(func() { _ = conn.Close() })
	return grpc_health_v1.NewHealthClient(conn)
}

// clientTLS trusts whoever answers: the tests are about the client's side.
func clientTLS(certificates ...tls.Certificate) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, Certificates: certificates}
}

func withToken(t *testing.T, authorization string) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	if authorization == "" {
		return ctx
	}
	return grpcmeta.AppendToOutgoingContext(ctx, "authorization", authorization)
}

func (w *grpcWorld) check(t *testing.T, authorization string, certificates ...tls.Certificate) error {
	t.Helper()
	_, err := w.dial(t, certificates...).Check(withToken(t, authorization), &grpc_health_v1.HealthCheckRequest{})
	return err
}

// denied asks as other proxies do, and for more than the token is good for.
func (w *grpcWorld) denied(t *testing.T, token string) {
	conn := must(grpc.NewClient(w.gate.Addr, grpc.WithTransportCredentials(credentials.NewTLS(clientTLS()))))(t)
	t.Cleanup(func() { _ = conn.Close() })
	err := conn.Invoke(withToken(t, "Bearer "+token), "/oauth2/auth?scope=refunds", &grpc_health_v1.HealthCheckRequest{}, &grpc_health_v1.HealthCheckResponse{})
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("%v", err)
	}
}

func (w *grpcWorld) stream(t *testing.T, token string) {
	watch := must(w.dial(t).Watch(withToken(t, "Bearer "+token), &grpc_health_v1.HealthCheckRequest{}))(t)
	for _, want := range []grpc_health_v1.HealthCheckResponse_ServingStatus{
		grpc_health_v1.HealthCheckResponse_SERVING, grpc_health_v1.HealthCheckResponse_NOT_SERVING, grpc_health_v1.HealthCheckResponse_SERVING,
	} {
		w.health.SetServingStatus("", want)
		if got := must(watch.Recv())(t).Status; got != want {
			t.Errorf("%v, not %v", got, want)
		}
	}
	refused := must(w.dial(t).Watch(withToken(t, ""), &grpc_health_v1.HealthCheckRequest{}))(t)
	if _, err := refused.Recv(); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without a token: %v", err)
	}
}

// web speaks gRPC-Web as a browser's library does, over HTTP/1.1.
func (w *grpcWorld) web(t *testing.T, token string) {
	for _, encoding := range []string{"application/grpc-web+proto", "application/grpc-web-text"} {
		for name, test := range map[string]struct {
			header http.Header
			want   webAnswer
		}{
			"with a token":                 {bearer(token), webAnswer{messages: 1, status: "0"}},
			"without a token":              {nil, webAnswer{status: "16"}},
			"with one that is for another": {bearer(w.token(t, "https://stock.example.com/signed")), webAnswer{status: "16"}},
		} {
			t.Run(encoding+" "+name, func(t *testing.T) {
				got := w.askWeb(t, encoding, test.header)
				if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(webAnswer{})); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// webAnswer is what the frames of an answer say.
type webAnswer struct {
	messages int
	status   string
}

func (w *grpcWorld) askWeb(t *testing.T, encoding string, header http.Header) webAnswer {
	t.Helper()
	body := []byte{0, 0, 0, 0, 0} // one message of no bytes
	text := strings.HasSuffix(encoding, "-text")
	if text {
		body = []byte(base64.StdEncoding.EncodeToString(body))
	}
	req := must(http.NewRequest(http.MethodPost, "https://"+w.gate.Addr+"/grpc.health.v1.Health/Check", bytes.NewReader(body)))(t)
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", encoding)
	req.Header.Set("Accept", encoding)
	req.Header.Set("X-Grpc-Web", "1")
	transport := &http.Transport{TLSClientConfig: clientTLS()} // HTTP/1.1, as TLS is set by hand
	defer transport.CloseIdleConnections()
	res := must(transport.RoundTrip(req))(t)
	answer := must(drain(res.Body))(t)
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), strings.TrimSuffix(encoding, "+proto")) {
		t.Fatalf("%d %v %q", res.StatusCode, res.Header, answer)
	}
	if text {
		answer = decodeText(t, answer)
	}
	return must(readFrames(answer))(t)
}

// decodeText decodes base64 that may be padded in between.
func decodeText(t *testing.T, text []byte) []byte {
	t.Helper()
	var all []byte
	for len(text) >= 4 {
		all = append(all, must(base64.StdEncoding.DecodeString(string(text[:4])))(t)...)
		text = text[4:]
	}
	return all
}

// readFrames reads the frames of an answer: messages, and the trailers last.
func readFrames(body []byte) (webAnswer, error) {
	var answer webAnswer
	for in := bytes.NewReader(body); in.Len() > 0; {
		var head [5]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return answer, fmt.Errorf("e2e: gRPC-Web: %w", err)
		}
		content := make([]byte, min(int(binary.BigEndian.Uint32(head[1:])), len(body)))
		if _, err := io.ReadFull(in, content); err != nil {
			return answer, fmt.Errorf("e2e: gRPC-Web: %w", err)
		}
		if head[0]&0x80 == 0 {
			answer.messages++
			continue
		}
		for line := range strings.Lines(string(content)) {
			if name, value, _ := strings.Cut(strings.TrimSpace(line), ":"); strings.EqualFold(name, "grpc-status") {
				answer.status = strings.TrimSpace(value)
			}
		}
	}
	return answer, nil
}

// boundToCertificate is RFC 8705, section 3.
func (w *grpcWorld) boundToCertificate(t *testing.T) {
	own, other := w.authority.issue(t), w.authority.issue(t)
	header := http.Header{"X-Client-Certificate": {base64.StdEncoding.EncodeToString(own.Certificate[0])}}
	var tokens Tokens
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {signedResource}, "scope": {"orders"}}
	if err := w.bound().Ask("token_endpoint", form, header, &tokens); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		shown []tls.Certificate
		want  codes.Code
	}{
		"with its certificate":    {[]tls.Certificate{own}, codes.OK},
		"with another":            {[]tls.Certificate{other}, codes.Unauthenticated},
		"without any certificate": {nil, codes.Unauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			if err := w.check(t, "Bearer "+tokens.Access, test.shown...); status.Code(err) != test.want {
				t.Errorf("%v", err)
			}
		})
	}
}

// bound is the service whose tokens are bound to its certificate.
func (w *grpcWorld) bound() Service {
	return Service{Provider: w.Provider, ID: "certified", Secret: clientSecret}
}
