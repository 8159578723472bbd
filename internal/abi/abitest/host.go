//go:build !wasip1

// Package abitest has a host for native tests of what runs on internal/abi: it
// holds header maps and buffers, and writes down what it was told to do. It
// does not imitate a proxy's order of callbacks, its delays or its refusals;
// the wazero host does that with the module itself.
package abitest

import (
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/abi"
)

// Host is an abi.Host whose fields a test fills and reads.
type Host struct {
	Time       time.Time
	Lines      []string // "level message"
	Maps       map[abi.MapType][][2]string
	Buffers    map[abi.BufferType][]byte
	Properties map[string]string // path joined by dots
	Shared     map[string]Cell
	Metrics    map[string]int64
	NoStats    bool // every metric reads as 0, as with a host told to keep none
	Responses  []Response
	Calls      []Call
	CallStatus abi.Status // what HTTPCall answers inline; OK unless set
	Continued  []uint32   // the streams that went on, by effective context
	Closed     []uint32   // the streams that were reset
	Tick       time.Duration
	Effective  uint32
	Ended      []uint32 // the plugin contexts that said they are done

	metricNames []string
}

// Response is a local response.
type Response struct {
	Stream     uint32 // the effective context
	Status     uint32
	Details    string
	Headers    [][2]string
	Body       string
	GRPCStatus int32
}

// Call is a dispatched HTTP call; its id is its index plus one.
type Call struct {
	Cluster string
	Headers [][2]string
	Body    string
	Timeout time.Duration
}

// Cell is a shared value with its compare-and-swap number.
type Cell struct {
	Value []byte
	CAS   uint32
}

// New installs an empty host for the length of a test.
func New(t testing.TB) (*Host, abi.Callbacks) {
	t.Helper()
	h := &Host{
		Time:       time.Unix(1_700_000_000, 0),
		Maps:       map[abi.MapType][][2]string{},
		Buffers:    map[abi.BufferType][]byte{},
		Properties: map[string]string{},
		Shared:     map[string]Cell{},
		Metrics:    map[string]int64{},
	}
	run, restore := abi.UseHost(h)
	t.Cleanup(restore)
	return h, run
}

var levels = [...]string{"trace", "debug", "info", "warn", "error", "critical"}

func (h *Host) Log(level abi.LogLevel, message string) {
	h.Lines = append(h.Lines, levels[level]+" "+message)
}

func (h *Host) LogLevel() abi.LogLevel { return abi.LevelTrace }

func (h *Host) Now() time.Time { return h.Time }

func (h *Host) HeaderPairs(m abi.MapType) ([][2]string, abi.Status) {
	pairs, ok := h.Maps[m]
	if !ok {
		return nil, abi.StatusBadArgument
	}
	return pairs, abi.StatusOK
}

func (h *Host) HeaderValue(m abi.MapType, name string) (string, abi.Status) {
	pairs, ok := h.Maps[m]
	if !ok {
		return "", abi.StatusBadArgument
	}
	for _, p := range pairs {
		if strings.EqualFold(p[0], name) {
			return p[1], abi.StatusOK
		}
	}
	return "", abi.StatusNotFound
}

func (h *Host) ReplaceHeader(m abi.MapType, name, value string) abi.Status {
	if status := h.RemoveHeader(m, name); status != abi.StatusOK {
		return status
	}
	return h.AddHeader(m, name, value)
}

func (h *Host) AddHeader(m abi.MapType, name, value string) abi.Status {
	if _, ok := h.Maps[m]; !ok {
		return abi.StatusBadArgument
	}
	h.Maps[m] = append(h.Maps[m], [2]string{strings.ToLower(name), value})
	return abi.StatusOK
}

func (h *Host) RemoveHeader(m abi.MapType, name string) abi.Status {
	pairs, ok := h.Maps[m]
	if !ok {
		return abi.StatusBadArgument
	}
	kept := [][2]string{}
	for _, p := range pairs {
		if !strings.EqualFold(p[0], name) {
			kept = append(kept, p)
		}
	}
	h.Maps[m] = kept
	return abi.StatusOK
}

func (h *Host) SendLocalResponse(status uint32, details string, headers [][2]string, body []byte, grpcStatus int32) abi.Status {
	h.Responses = append(h.Responses, Response{h.Effective, status, details, headers, string(body), grpcStatus})
	return abi.StatusOK
}

func (h *Host) ContinueStream(abi.StreamType) abi.Status {
	h.Continued = append(h.Continued, h.Effective)
	return abi.StatusOK
}

func (h *Host) CloseStream(abi.StreamType) abi.Status {
	h.Closed = append(h.Closed, h.Effective)
	return abi.StatusOK
}

func (h *Host) HTTPCall(cluster string, headers [][2]string, body []byte, timeout time.Duration) (uint32, abi.Status) {
	if h.CallStatus != abi.StatusOK {
		return 0, h.CallStatus
	}
	h.Calls = append(h.Calls, Call{cluster, headers, string(body), timeout})
	return uint32(len(h.Calls)), abi.StatusOK
}

func (h *Host) BufferBytes(t abi.BufferType, start, limit int) ([]byte, abi.Status) {
	b, ok := h.Buffers[t]
	if !ok {
		return nil, abi.StatusNotFound
	}
	start = min(start, len(b))
	return b[start:min(len(b), start+limit)], abi.StatusOK
}

func (h *Host) SetTick(d time.Duration) abi.Status {
	h.Tick = d
	return abi.StatusOK
}

func (h *Host) SetEffectiveContext(id uint32) abi.Status {
	h.Effective = id
	return abi.StatusOK
}

func (h *Host) Done() abi.Status {
	h.Ended = append(h.Ended, h.Effective)
	return abi.StatusOK
}

func (h *Host) SharedData(key string) ([]byte, uint32, abi.Status) {
	cell, ok := h.Shared[key]
	if !ok {
		return nil, 0, abi.StatusNotFound
	}
	return cell.Value, cell.CAS, abi.StatusOK
}

func (h *Host) SetSharedData(key string, value []byte, cas uint32) abi.Status {
	old, ok := h.Shared[key]
	if ok && cas != 0 && cas != old.CAS {
		return abi.StatusCASMismatch
	}
	h.Shared[key] = Cell{append([]byte(nil), value...), old.CAS + 1}
	return abi.StatusOK
}

func (h *Host) DefineMetric(_ uint32, name string) (uint32, abi.Status) {
	h.metricNames = append(h.metricNames, name)
	h.Metrics[name] += 0
	return uint32(len(h.metricNames)), abi.StatusOK
}

func (h *Host) IncrementMetric(id uint32, offset int64) abi.Status {
	name, status := h.metric(id)
	if status == abi.StatusOK {
		h.Metrics[name] += offset
	}
	return status
}

func (h *Host) RecordMetric(id uint32, value uint64) abi.Status {
	name, status := h.metric(id)
	if status == abi.StatusOK {
		h.Metrics[name] = int64(value)
	}
	return status
}

func (h *Host) Metric(id uint32) (uint64, abi.Status) {
	name, status := h.metric(id)
	if h.NoStats {
		return 0, status
	}
	return uint64(h.Metrics[name]), status
}

func (h *Host) metric(id uint32) (string, abi.Status) {
	if id == 0 || int(id) > len(h.metricNames) {
		return "", abi.StatusNotFound
	}
	return h.metricNames[id-1], abi.StatusOK
}

func (h *Host) SetProperty(path, value string) abi.Status {
	h.Properties["wasm."+path] = value
	return abi.StatusOK
}

func (h *Host) Property(path string) ([]byte, abi.Status) {
	value, ok := h.Properties[strings.ReplaceAll(path, "\x00", ".")]
	if !ok {
		return nil, abi.StatusNotFound
	}
	return []byte(value), abi.StatusOK
}
