package abi

import "unsafe"

// out receives what the host writes. It is a variable and not a local one, so
// its address holds while stacks move, and no call allocates for it. One set
// is enough: within a host call only proxy_on_memory_allocate runs.
var out struct {
	address uint32
	size    uint32
	number  uint32
	time    int64
	value   uint64
}

var (
	outAddress = unsafe.Pointer(&out.address)
	outSize    = unsafe.Pointer(&out.size)
	outNumber  = unsafe.Pointer(&out.number)
)

// granted is the memory that the host asked for last. It lives here until the
// host call that it belongs to has returned, so the collector sees it while
// only the host knows its address.
var granted []byte

// allocate serves proxy_on_memory_allocate. Zero bytes have an address too.
func allocate(size uint32) unsafe.Pointer {
	granted = make([]byte, max(size, 1))
	return unsafe.Pointer(unsafe.SliceData(granted))
}

// received returns what the host wrote for the call just made. Its address is
// only compared, never followed: it must be the memory just granted.
func received(status uint32) ([]byte, Status) {
	b := granted
	granted = nil
	address, size := out.address, out.size
	out.address, out.size = 0, 0
	switch {
	case Status(status) != StatusOK:
		return nil, Status(status)
	case size == 0:
		return nil, StatusOK
	case len(b) == 0 || uintptr(address) != uintptr(unsafe.Pointer(unsafe.SliceData(b))) || uint64(size) > uint64(len(b)):
		return nil, StatusInvalidMemoryAccess
	}
	return b[:size:size], StatusOK
}

func hostLog(level LogLevel, message string) Status {
	return Status(proxyLog(uint32(level), message))
}

func hostLogLevel() (LogLevel, Status) {
	status := proxyGetLogLevel(outNumber)
	return LogLevel(out.number), Status(status)
}

func hostNow() int64 {
	proxyGetCurrentTimeNanoseconds(unsafe.Pointer(&out.time))
	return out.time
}

func hostHeaderPairs(m MapType) ([]byte, Status) {
	return received(proxyGetHeaderMapPairs(uint32(m), outAddress, outSize))
}

func hostHeaderValue(m MapType, name string) ([]byte, Status) {
	return received(proxyGetHeaderMapValue(uint32(m), name, outAddress, outSize))
}

func hostReplaceHeader(m MapType, name, value string) Status {
	return Status(proxyReplaceHeaderMapValue(uint32(m), name, value))
}

func hostAddHeader(m MapType, name, value string) Status {
	return Status(proxyAddHeaderMapValue(uint32(m), name, value))
}

func hostRemoveHeader(m MapType, name string) Status {
	return Status(proxyRemoveHeaderMapValue(uint32(m), name))
}

func hostSendLocalResponse(status uint32, details string, headers, body []byte, grpcStatus int32) Status {
	return Status(proxySendLocalResponse(status, details, pointer(body), uint32(len(body)), pointer(headers), uint32(len(headers)), grpcStatus))
}

func hostContinueStream(t StreamType) Status { return Status(proxyContinueStream(uint32(t))) }

func hostCloseStream(t StreamType) Status { return Status(proxyCloseStream(uint32(t))) }

func hostHTTPCall(cluster string, headers, body []byte, timeout uint32) (uint32, Status) {
	status := proxyHTTPCall(cluster, pointer(headers), uint32(len(headers)), pointer(body), uint32(len(body)), nil, 0, timeout, outNumber)
	return out.number, Status(status)
}

func hostBufferBytes(t BufferType, start, limit uint32) ([]byte, Status) {
	return received(proxyGetBufferBytes(uint32(t), start, limit, outAddress, outSize))
}

func hostSetTick(ms uint32) Status { return Status(proxySetTickPeriodMilliseconds(ms)) }

func hostSetEffectiveContext(id uint32) Status { return Status(proxySetEffectiveContext(id)) }

func hostDone() Status { return Status(proxyDone()) }

func hostSharedData(key string) ([]byte, uint32, Status) {
	value, status := received(proxyGetSharedData(key, outAddress, outSize, outNumber))
	return value, out.number, status
}

func hostSetSharedData(key string, value []byte, cas uint32) Status {
	return Status(proxySetSharedData(key, pointer(value), uint32(len(value)), cas))
}

func hostDefineMetric(kind uint32, name string) (uint32, Status) {
	status := proxyDefineMetric(kind, name, outNumber)
	return out.number, Status(status)
}

func hostIncrementMetric(id uint32, offset int64) Status {
	return Status(proxyIncrementMetric(id, offset))
}

func hostRecordMetric(id uint32, value uint64) Status {
	return Status(proxyRecordMetric(id, value))
}

func hostMetric(id uint32) (uint64, Status) {
	status := proxyGetMetric(id, unsafe.Pointer(&out.value))
	return out.value, Status(status)
}

func hostProperty(path string) ([]byte, Status) {
	return received(proxyGetProperty(path, outAddress, outSize))
}

func hostSetProperty(path, value string) Status {
	return Status(proxySetProperty(path, value))
}

func pointer(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }
