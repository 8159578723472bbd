package abi

import "errors"

// Status is what a host call returns; as an error it is one of the sentinels.
type Status uint32

// The statuses of ABI 0.2.1.
const (
	StatusOK                   Status = 0
	StatusNotFound             Status = 1
	StatusBadArgument          Status = 2
	StatusSerializationFailure Status = 3
	StatusParseFailure         Status = 4
	StatusInvalidMemoryAccess  Status = 6
	StatusEmpty                Status = 7
	StatusCASMismatch          Status = 8
	StatusInternalFailure      Status = 10
	StatusUnimplemented        Status = 12
)

// The statuses that a caller branches on, for errors.Is.
var (
	// ErrNotFound: no such value, stream or key.
	ErrNotFound error = StatusNotFound
	// ErrBadArgument: the host refuses an argument; of a call, the cluster.
	ErrBadArgument error = StatusBadArgument
	// ErrCASMismatch: another VM changed the shared value first.
	ErrCASMismatch error = StatusCASMismatch
	// ErrUnavailable: the host cannot do it now; of a call, no connection.
	ErrUnavailable error = StatusInternalFailure
	// ErrTooLarge: over a limit of the host or the caller.
	ErrTooLarge = errors.New("abi: too large")
)

func (s Status) Error() string {
	switch s {
	case StatusOK:
		return "ok"
	case StatusNotFound:
		return "not found"
	case StatusBadArgument:
		return "bad argument"
	case StatusSerializationFailure:
		return "serialization failure"
	case StatusParseFailure:
		return "parse failure"
	case StatusInvalidMemoryAccess:
		return "invalid memory access"
	case StatusEmpty:
		return "empty"
	case StatusCASMismatch:
		return "cas mismatch"
	case StatusInternalFailure:
		return "unavailable"
	case StatusUnimplemented:
		return "unimplemented"
	default:
		return "unknown status"
	}
}

// callError says which host call failed.
type callError struct {
	call   string
	status Status
}

func (e *callError) Error() string { return "abi: " + e.call + ": " + e.status.Error() }
func (e *callError) Unwrap() error { return e.status }

// failed is nil for StatusOK, and costs nothing then.
func failed(call string, status Status) error {
	if status == StatusOK {
		return nil
	}
	return &callError{call: call, status: status}
}
