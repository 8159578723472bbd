//go:build wasip1

package main

import (
	"encoding/binary"
	"unsafe"
)

//go:wasmimport env proxy_log
func proxyLog(level uint32, p *byte, n uint32) uint32

//go:wasmimport env proxy_get_log_level
func proxyGetLogLevel(out *uint32) uint32

//go:wasmimport env proxy_get_status
func proxyGetStatus(code *uint32, p unsafe.Pointer, n *uint32) uint32

//go:wasmimport env proxy_get_property
func proxyGetProperty(p *byte, n uint32, vp unsafe.Pointer, vn *uint32) uint32

//go:wasmimport env proxy_set_property
func proxySetProperty(p *byte, n uint32, v *byte, vn uint32) uint32

//go:wasmimport env proxy_send_local_response
func proxySendLocalResponse(code uint32, d *byte, dn uint32, b *byte, bn uint32, h *byte, hn uint32, grpc int32) uint32

//go:wasmimport env proxy_get_shared_data
func proxyGetSharedData(k *byte, kn uint32, v unsafe.Pointer, vn *uint32, cas *uint32) uint32

//go:wasmimport env proxy_set_shared_data
func proxySetSharedData(k *byte, kn uint32, v *byte, vn uint32, cas uint32) uint32

//go:wasmimport env proxy_register_shared_queue
func proxyRegisterSharedQueue(k *byte, kn uint32, token *uint32) uint32

//go:wasmimport env proxy_enqueue_shared_queue
func proxyEnqueueSharedQueue(token uint32, v *byte, vn uint32) uint32

//go:wasmimport env proxy_dequeue_shared_queue
func proxyDequeueSharedQueue(token uint32, v unsafe.Pointer, vn *uint32) uint32

//go:wasmimport env proxy_get_header_map_value
func proxyGetHeaderMapValue(t uint32, k *byte, kn uint32, v unsafe.Pointer, vn *uint32) uint32

//go:wasmimport env proxy_add_header_map_value
func proxyAddHeaderMapValue(t uint32, k *byte, kn uint32, v *byte, vn uint32) uint32

//go:wasmimport env proxy_replace_header_map_value
func proxyReplaceHeaderMapValue(t uint32, k *byte, kn uint32, v *byte, vn uint32) uint32

//go:wasmimport env proxy_remove_header_map_value
func proxyRemoveHeaderMapValue(t uint32, k *byte, kn uint32) uint32

//go:wasmimport env proxy_get_header_map_pairs
func proxyGetHeaderMapPairs(t uint32, p unsafe.Pointer, n *uint32) uint32

//go:wasmimport env proxy_set_header_map_pairs
func proxySetHeaderMapPairs(t uint32, p *byte, n uint32) uint32

//go:wasmimport env proxy_get_buffer_bytes
func proxyGetBufferBytes(t, start, length uint32, p unsafe.Pointer, n *uint32) uint32

//go:wasmimport env proxy_set_buffer_bytes
func proxySetBufferBytes(t, start, length uint32, p *byte, n uint32) uint32

//go:wasmimport env proxy_http_call
func proxyHTTPCall(c *byte, cn uint32, h *byte, hn uint32, b *byte, bn uint32, t *byte, tn uint32, ms uint32, token *uint32) uint32

//go:wasmimport env proxy_set_tick_period_milliseconds
func proxySetTickPeriod(ms uint32) uint32

//go:wasmimport env proxy_get_current_time_nanoseconds
func proxyGetCurrentTime(ns *uint64) uint32

//go:wasmimport env proxy_define_metric
func proxyDefineMetric(kind uint32, p *byte, n uint32, id *uint32) uint32

//go:wasmimport env proxy_increment_metric
func proxyIncrementMetric(id uint32, by int64) uint32

//go:wasmimport env proxy_record_metric
func proxyRecordMetric(id uint32, value uint64) uint32

//go:wasmimport env proxy_get_metric
func proxyGetMetric(id uint32, out *uint64) uint32

//go:wasmimport env proxy_set_effective_context
func proxySetEffectiveContext(id uint32) uint32

//go:wasmimport env proxy_done
func proxyDone() uint32

//go:wasmimport env proxy_call_foreign_function
func proxyCallForeignFunction(p *byte, n uint32, a *byte, an uint32, r unsafe.Pointer, rn *uint32) uint32

//go:wasmimport env proxy_continue_stream
func proxyContinueStream(t uint32) uint32

//go:wasmimport env proxy_close_stream
func proxyCloseStream(t uint32) uint32

//go:wasmexport proxy_abi_version_0_2_1
func abiVersion() {}

// allocMode makes the allocator misbehave.
var allocMode string

//go:wasmexport proxy_on_memory_allocate
func allocate(size uint32) *byte {
	mode := allocMode
	allocMode = ""
	switch mode {
	case "null":
		return nil
	case "log":
		p, n := bytesOf("from malloc")
		proxyLog(2, p, n)
	case "call":
		var ns uint64
		proxyGetCurrentTime(&ns)
	}
	return &make([]byte, size)[0]
}

func bytesOf(s string) (*byte, uint32) { return unsafe.StringData(s), uint32(len(s)) }

// taken is what the host gave: a pointer into memory that allocate made.
func taken(p *byte, n uint32) string {
	if p == nil {
		return ""
	}
	return string(unsafe.Slice(p, n))
}

func encode(pairs [][2]string) string {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(pairs)))
	for _, p := range pairs {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(p[0])))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(p[1])))
	}
	for _, p := range pairs {
		b = append(append(b, p[0]...), 0)
		b = append(append(b, p[1]...), 0)
	}
	return string(b)
}

func decode(s string) [][2]string {
	if s == "" {
		return nil
	}
	b := []byte(s)
	n := binary.LittleEndian.Uint32(b)
	sizes, rest := b[4:], s[4+8*n:]
	pairs := make([][2]string, n)
	for i := range pairs {
		for j := range 2 {
			size := binary.LittleEndian.Uint32(sizes[8*i+4*j:])
			pairs[i][j], rest = rest[:size], rest[size+1:]
		}
	}
	return pairs
}

// at is where the host writes a pointer.
func at(p **byte) unsafe.Pointer { return unsafe.Pointer(p) }
