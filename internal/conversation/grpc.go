package conversation

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/httpmsg"
)

// grpcAnswer takes "grpc N" or "grpc-web N" off an expected status: the status
// of the call is there, and the HTTP status is 200. What trailers say can be
// expected of the header's fields from then on.
func grpcAnswer(rest string, o *Outcome) (string, error) {
	kind, more, ok := strings.Cut(rest, " ")
	if !ok || kind != "grpc" && kind != "grpc-web" {
		return rest, nil
	}
	if err := readTrailers(kind, o); err != nil {
		return "", err
	}
	status, _, _ := strings.Cut(more, " ")
	if got, _ := o.Header.Get("grpc-status"); got != status || o.Status != 200 {
		return "", fmt.Errorf("it is %s with grpc-status %q", describe(o), got)
	}
	return "200" + strings.TrimPrefix(more, status), nil
}

// readTrailers puts a gRPC-Web answer's trailers where gRPC's are, once.
func readTrailers(kind string, o *Outcome) error {
	contentType, _ := o.Header.Get("content-type")
	switch {
	case kind == "grpc" && contentType != "application/grpc":
		return fmt.Errorf("it is of type %q", contentType)
	case kind == "grpc" && o.Body != "":
		return fmt.Errorf("a refused call has no body: %q", o.Body)
	case kind == "grpc":
		return nil
	case !strings.HasPrefix(contentType, "application/grpc-web"):
		return fmt.Errorf("it is of type %q", contentType)
	}
	frame := []byte(o.Body)
	if strings.HasPrefix(contentType, "application/grpc-web-text") {
		var err error
		if frame, err = base64.StdEncoding.DecodeString(o.Body); err != nil {
			return err
		}
	}
	const flagTrailers = 0x80
	if len(frame) < 5 || frame[0] != flagTrailers || int(binary.BigEndian.Uint32(frame[1:])) != len(frame)-5 {
		return fmt.Errorf("the body is no frame of trailers: %q", frame)
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(string(frame[5:]), "\r\n"), "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		o.Header = append(o.Header, httpmsg.Field{Name: name, Value: strings.TrimSpace(value)})
	}
	return nil
}

// asEnvoyAnswersGRPC turns an answer into what Envoy makes of it for requests
// that it takes for gRPC.
func asEnvoyAnswersGRPC(r *Request, o Outcome, status int) Outcome {
	contentType, _ := r.Header.Get("content-type")
	if contentType != "application/grpc" && !strings.HasPrefix(contentType, "application/grpc+") {
		return o
	}
	header := httpmsg.Fields{{Name: "content-type", Value: "application/grpc"}, {Name: "grpc-status", Value: strconv.Itoa(status)}}
	if o.Body != "" {
		header = append(header, httpmsg.Field{Name: "grpc-message", Value: o.Body})
	}
	for _, f := range o.Header {
		if f.Name != "content-type" {
			header = append(header, f)
		}
	}
	o.Header, o.Body = header, ""
	if status != 0 { // else the module puts the status right that it meant
		o.Status = 200
	}
	return o
}
