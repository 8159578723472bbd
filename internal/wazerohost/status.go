package wazerohost

// status is the answer of a proxy_* function (proxy-wasm ABI 0.2.1, "Types").
type status uint32

const (
	statusOK                  status = 0
	statusNotFound            status = 1
	statusBadArgument         status = 2
	statusInvalidMemoryAccess status = 6
	statusEmpty               status = 7
	statusCasMismatch         status = 8
	statusInternalFailure     status = 10
	statusUnimplemented       status = 12
)

// The header maps of the ABI.
const (
	mapRequestHeaders uint32 = iota
	mapRequestTrailers
	mapResponseHeaders
	mapResponseTrailers
	mapGRPCInitialMetadata
	mapGRPCTrailingMetadata
	mapCallResponseHeaders
	mapCallResponseTrailers
	mapTypes
)

// The buffers of the ABI.
const (
	bufferRequestBody uint32 = iota
	bufferResponseBody
	bufferDownstreamData
	bufferUpstreamData
	bufferCallResponseBody
	bufferGRPCMessage
	bufferVMConfiguration
	bufferPluginConfiguration
	bufferCallData
	bufferTypes
)

// The streams that proxy_continue_stream and proxy_close_stream name.
const (
	streamRequest uint32 = iota
	streamResponse
	streamDownstream
	streamUpstream
	streamTypes
)
