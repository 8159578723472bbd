package wazerohost

import "time"

// proxyFunctions are the proxy_* imports of the ABI, without their prefix.
func proxyFunctions() map[string]*hostFunction {
	functions := map[string]*hostFunction{
		"log":                          proxyFunction("iii", proxyLog),
		"get_status":                   proxyFunction("iii", proxyGetStatus),
		"set_property":                 proxyFunction("iiii", proxySetProperty),
		"get_property":                 proxyFunction("iiii", proxyGetProperty),
		"send_local_response":          proxyFunction("iiiiiiii", proxySendLocalResponse),
		"get_shared_data":              proxyFunction("iiiii", proxyGetSharedData),
		"set_shared_data":              proxyFunction("iiiii", proxySetSharedData),
		"register_shared_queue":        proxyFunction("iii", proxyRegisterQueue),
		"resolve_shared_queue":         proxyFunction("iiiii", proxyResolveQueue),
		"dequeue_shared_queue":         proxyFunction("iii", proxyDequeue),
		"enqueue_shared_queue":         proxyFunction("iii", proxyEnqueue),
		"get_header_map_value":         proxyFunction("iiiii", proxyGetHeader),
		"add_header_map_value":         proxyFunction("iiiii", proxyAddHeader),
		"replace_header_map_value":     proxyFunction("iiiii", proxyReplaceHeader),
		"remove_header_map_value":      proxyFunction("iii", proxyRemoveHeader),
		"get_header_map_pairs":         proxyFunction("iii", proxyGetPairs),
		"set_header_map_pairs":         proxyFunction("iii", proxySetPairs),
		"get_header_map_size":          proxyFunction("ii", proxyGetMapSize),
		"get_buffer_status":            proxyFunction("iii", proxyBufferStatus),
		"get_buffer_bytes":             proxyFunction("iiiii", proxyGetBuffer),
		"set_buffer_bytes":             proxyFunction("iiiii", proxySetBuffer),
		"http_call":                    proxyFunction("iiiiiiiiii", proxyHTTPCall),
		"grpc_call":                    proxyFunction("iiiiiiiiiiii", unimplemented),
		"grpc_stream":                  proxyFunction("iiiiiiiii", unimplemented),
		"grpc_close":                   proxyFunction("i", unimplemented),
		"grpc_cancel":                  proxyFunction("i", unimplemented),
		"grpc_send":                    proxyFunction("iiii", unimplemented),
		"set_tick_period_milliseconds": proxyFunction("i", proxySetTick),
		"get_current_time_nanoseconds": proxyFunction("i", proxyNow),
		"define_metric":                proxyFunction("iiii", proxyDefineMetric),
		"increment_metric":             proxyFunction("iI", proxyIncrementMetric),
		"record_metric":                proxyFunction("iI", proxyRecordMetric),
		"get_metric":                   proxyFunction("ii", proxyGetMetric),
		"set_effective_context":        proxyFunction("i", proxySetEffectiveContext),
		"done":                         proxyFunction("", proxyDone),
		"call_foreign_function":        proxyFunction("iiiiii", foreignFunctionUnknown),
		"continue_stream":              proxyFunction("i", proxyContinueStream),
		"close_stream":                 proxyFunction("i", proxyCloseStream),
		"get_log_level":                proxyFunction("i", proxyGetLogLevel),
	}
	functions["get_log_level"].abi = abi021
	return functions
}

func proxyFunction(params string, f func(*vm, args) status) *hostFunction {
	return &hostFunction{
		signature: signature{params, "i"},
		abi:       abi020,
		call:      func(v *vm, p args) uint64 { return uint64(f(v, p)) },
	}
}

func unimplemented(*vm, args) status { return statusUnimplemented }

// foreignFunctionUnknown is the answer to every foreign function: Envoy has none
// that concerns this project.
func foreignFunctionUnknown(*vm, args) status { return statusNotFound }

// okIf turns a write's success into a status.
func okIf(written bool) status {
	if !written {
		return statusInvalidMemoryAccess
	}
	return statusOK
}

func proxyLog(v *vm, p args) status {
	level := p.u32(0)
	if level > uint32(LevelCritical) {
		return statusBadArgument
	}
	message, ok := p.bytes(v, 1)
	if !ok {
		return statusInvalidMemoryAccess
	}
	v.log(Level(level), string(message))
	return statusOK
}

// log writes the module's line; a canary's lines also explain its refusal.
func (v *vm) log(level Level, message string) {
	if v.canary && level >= LevelWarn {
		v.logs = append(v.logs, message)
	}
	v.host.log(level, message)
}

func proxyGetLogLevel(v *vm, p args) status {
	return okIf(v.write32(p.u32(0), uint32(v.host.cfg.LogLevel)))
}

func proxyNow(v *vm, p args) status {
	return okIf(v.write64(p.u32(0), uint64(v.host.cfg.Clock.Now().UnixNano())))
}

// proxyGetStatus tells why a call had no answer.
func proxyGetStatus(v *vm, p args) status {
	root := v.context().root
	if root == nil {
		return statusBadArgument
	}
	code := uint32(0)
	if root.statusMsg != "" {
		code = uint32(statusBrokenConnection)
	}
	if !v.write32(p.u32(0), code) {
		return statusInvalidMemoryAccess
	}
	return v.give([]byte(root.statusMsg), p.u32(1), p.u32(2))
}

const statusBrokenConnection status = 11

func proxySetTick(v *vm, p args) status {
	root := v.context().root
	if root == nil {
		return statusBadArgument
	}
	root.setTick(time.Duration(p.u32(0)) * time.Millisecond)
	return statusOK
}

func proxySetEffectiveContext(v *vm, p args) status {
	if v.contexts[p.u32(0)] == nil {
		return statusBadArgument
	}
	v.effective = p.u32(0)
	return statusOK
}

func proxyDone(v *vm, _ args) status {
	c := v.context()
	if c.root == nil || c.stream != nil {
		return statusNotFound
	}
	return c.root.done()
}

func proxyGetSharedData(v *vm, p args) status {
	key, ok := p.bytes(v, 0)
	if !ok {
		return statusInvalidMemoryAccess
	}
	found, ok := v.host.cfg.SharedData.get(v.host.cfg.VMID, string(key))
	if !ok {
		return statusNotFound
	}
	if s := v.give(found.value, p.u32(2), p.u32(3)); s != statusOK {
		return s
	}
	return okIf(v.write32(p.u32(4), found.cas))
}

func proxySetSharedData(v *vm, p args) status {
	key, ok := p.bytes(v, 0)
	value, ok2 := p.bytes(v, 2)
	if !ok || !ok2 {
		return statusInvalidMemoryAccess
	}
	if v.canary {
		v.host.misuse("shared data written from the canary")
	}
	return v.host.cfg.SharedData.set(v.host.cfg.VMID, string(key), value, p.u32(4))
}

func proxyRegisterQueue(v *vm, p args) status {
	name, ok := p.bytes(v, 0)
	if !ok {
		return statusInvalidMemoryAccess
	}
	root := v.context().root
	if root == nil {
		return statusBadArgument
	}
	token := v.host.queues.register(v.host.cfg.VMID, string(name), func(token uint32) {
		v.loop.post(func() {
			if !root.gone {
				v.enter(root.moduleContext, "proxy_on_queue_ready", token)
			}
		})
	})
	return okIf(v.write32(p.u32(2), token))
}

func proxyResolveQueue(v *vm, p args) status {
	vmID, ok := p.bytes(v, 0)
	name, ok2 := p.bytes(v, 2)
	if !ok || !ok2 {
		return statusInvalidMemoryAccess
	}
	if len(vmID) == 0 {
		vmID = []byte(v.host.cfg.VMID)
	}
	token, found := v.host.queues.resolve(string(vmID), string(name))
	if !found {
		return statusNotFound
	}
	return okIf(v.write32(p.u32(4), token))
}

func proxyDequeue(v *vm, p args) status {
	item, s := v.host.queues.dequeue(p.u32(0))
	if s != statusOK {
		return s
	}
	return v.give(item, p.u32(1), p.u32(2))
}

func proxyEnqueue(v *vm, p args) status {
	item, ok := p.bytes(v, 1)
	if !ok {
		return statusInvalidMemoryAccess
	}
	return v.host.queues.enqueue(p.u32(0), item)
}

func proxyDefineMetric(v *vm, p args) status {
	kind := p.u32(0)
	if kind >= uint32(metricKinds) {
		return statusBadArgument
	}
	name, ok := p.bytes(v, 1)
	if !ok {
		return statusInvalidMemoryAccess
	}
	v.host.metrics.touch(string(name))
	return okIf(v.write32(p.u32(3), v.define(metricKind(kind), string(name))))
}

func proxyIncrementMetric(v *vm, p args) status { return v.incrementMetric(p.u32(0), int64(p[1])) }

func proxyRecordMetric(v *vm, p args) status { return v.recordMetric(p.u32(0), p[1]) }

func proxyGetMetric(v *vm, p args) status {
	value, s := v.readMetric(p.u32(0))
	if s != statusOK {
		return s
	}
	return okIf(v.write64(p.u32(1), value))
}
