package gate

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"

	"github.com/postern-auth/postern/internal/httpmsg"
)

// failGRPC answers a gRPC call, whose client reads the status in the trailers
// and nothing else. A host writes them for gRPC; for gRPC-Web they are a frame
// of the body.
func (g *Gate) failGRPC(q *request, f failure) *Respond {
	status := grpcStatus(f.status)
	encoding, web := httpmsg.WebEncoding(q.Request)
	if !web {
		return &Respond{
			Status: f.status, Reason: f.reason, GRPC: status, Body: []byte(f.reason),
			Header: httpmsg.Fields{{Name: "cache-control", Value: "no-store"}},
		}
	}
	body := trailerFrame(status, f.reason)
	if encoding == httpmsg.GRPCWebText {
		body = base64.StdEncoding.AppendEncode(nil, body)
	}
	return &Respond{Status: 200, Reason: f.reason, Body: body, Header: httpmsg.Fields{
		{Name: "content-type", Value: encoding + "+proto"},
		{Name: "cache-control", Value: "no-store"},
	}}
}

// trailerFrame is the frame in which gRPC-Web carries trailers (gRPC-Web,
// "Protocol differences vs gRPC over HTTP2"). The message needs no escape.
func trailerFrame(status int, message string) []byte {
	trailers := "grpc-status:" + strconv.Itoa(status) + "\r\ngrpc-message:" + message + "\r\n"
	const flagTrailers = 0x80
	return append(binary.BigEndian.AppendUint32([]byte{flagTrailers}, uint32(len(trailers))), trailers...)
}

// grpcStatus is the gRPC status for an HTTP one.
func grpcStatus(status int) int {
	switch status {
	case 401:
		return 16 // unauthenticated
	case 403:
		return 7 // permission denied
	case 503:
		return 14 // unavailable
	case 400, 404, 405, 421:
		return 3 // invalid argument
	}
	return 13 // internal
}
