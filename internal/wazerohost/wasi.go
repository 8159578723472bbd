package wazerohost

import (
	"crypto/rand"
	"encoding/binary"
	"strings"
)

// The WASI error numbers that Envoy answers with.
const (
	wasiOK      = 0
	wasiBADF    = 8
	wasiNOTDIR  = 20
	wasiFAULT   = 21
	wasiINVAL   = 28
	wasiNOENT   = 44
	wasiNOSYS   = 52
	wasiNOTSUP  = 58
	maxRandom   = 64 << 10
	fdStdout    = 1
	fdStderr    = 2
	rightsWrite = 64
)

// wasiFunctions are Envoy's answers to WASI calls: standard output is the log,
// there are no files and no sockets, and exit returns.
func wasiFunctions(g Generation) map[string]*hostFunction {
	always := func(params string, errno uint64) *hostFunction {
		return &hostFunction{signature: signature{params, "i"}, call: answer(errno)}
	}
	stdOnly := func(params string) *hostFunction {
		return &hostFunction{signature: signature{params, "i"}, call: onlyStandardStreams}
	}
	does := func(params string, f func(*vm, args) uint64) *hostFunction {
		return &hostFunction{signature: signature{params, "i"}, call: f}
	}
	functions := map[string]*hostFunction{
		"fd_advise":               always("iIIi", wasiOK),
		"fd_allocate":             stdOnly("iII"),
		"fd_datasync":             stdOnly("i"),
		"fd_fdstat_set_rights":    stdOnly("iII"),
		"fd_filestat_get":         always("ii", wasiBADF),
		"fd_filestat_set_size":    stdOnly("iI"),
		"fd_filestat_set_times":   stdOnly("iIIi"),
		"fd_pread":                always("iiiIi", wasiNOSYS),
		"fd_pwrite":               does("iiiIi", fdPwrite),
		"fd_readdir":              does("iiiIi", zeroSize(4, wasiNOTDIR)),
		"fd_renumber":             does("ii", fdRenumber),
		"fd_sync":                 stdOnly("i"),
		"fd_tell":                 does("ii", fdTell),
		"clock_res_get":           does("ii", clockResGet),
		"path_create_directory":   always("iii", wasiNOTSUP),
		"path_filestat_get":       always("iiiii", wasiNOTSUP),
		"path_filestat_set_times": always("iiiiIIi", wasiNOTSUP),
		"path_link":               always("iiiiii", wasiNOTSUP),
		"path_readlink":           does("iiiiii", zeroSize(5, wasiNOTSUP)),
		"path_remove_directory":   always("iii", wasiNOTSUP),
		"path_rename":             always("iiiiii", wasiNOTSUP),
		"path_symlink":            always("iiii", wasiNOTSUP),
		"path_unlink_file":        always("iii", wasiNOTSUP),
		"sock_accept":             does("iii", zeroSize(2, wasiNOTSUP)),
		"sock_recv":               does("iiiiii", zeroSize(4, wasiNOTSUP)),
		"sock_send":               does("iiiii", zeroSize(4, wasiNOTSUP)),
		"sock_shutdown":           always("ii", wasiNOTSUP),
	}
	for _, f := range functions {
		f.since = Envoy139
	}
	for name, f := range oldWASIFunctions(g) {
		f.since = Envoy133
		functions[name] = f
	}
	return functions
}

// oldWASIFunctions are the eighteen that Envoy 1.33 had already.
func oldWASIFunctions(g Generation) map[string]*hostFunction {
	does := func(params string, f func(*vm, args) uint64) *hostFunction {
		return &hostFunction{signature: signature{params, "i"}, call: f}
	}
	poll := answer(wasiNOSYS)
	if g == Envoy139 {
		poll = zeroSize(3, wasiOK)
	}
	return map[string]*hostFunction{
		"fd_write":            does("iiii", fdWrite),
		"fd_read":             does("iiii", answer(wasiNOSYS)),
		"fd_seek":             does("iIii", logged("wasi_unstable fd_seek")),
		"fd_close":            does("i", logged("wasi_unstable fd_close")),
		"fd_fdstat_get":       does("ii", fdFdstatGet),
		"fd_fdstat_set_flags": does("ii", answer(wasiNOSYS)),
		"environ_get":         does("ii", environGet),
		"environ_sizes_get":   does("ii", environSizesGet),
		"args_get":            does("ii", answer(wasiOK)),
		"args_sizes_get":      does("ii", argsSizesGet),
		"clock_time_get":      does("iIi", clockTimeGet),
		"random_get":          does("ii", randomGet),
		"sched_yield":         does("", answer(wasiOK)),
		"poll_oneoff":         does("iiii", poll),
		"path_open":           does("iiiiiIIii", answer(wasiNOENT)),
		"fd_prestat_get":      does("ii", answer(wasiBADF)),
		"fd_prestat_dir_name": does("iii", answer(wasiNOSYS)),
		"proc_exit":           {signature: signature{"i", ""}, call: logged("wasi_unstable proc_exit")},
	}
}

// logged is a call that Envoy notes and lets return, proc_exit among them.
func logged(message string) func(*vm, args) uint64 {
	return func(v *vm, _ args) uint64 {
		v.log(LevelTrace, message)
		return wasiOK
	}
}

func onlyStandardStreams(_ *vm, p args) uint64 {
	if fd := p.u32(0); fd != fdStdout && fd != fdStderr {
		return wasiBADF
	}
	return wasiOK
}

// zeroSize writes 0 where parameter i points and answers errno.
func zeroSize(i int, errno uint64) func(*vm, args) uint64 {
	return func(v *vm, p args) uint64 {
		if !v.write32(p.u32(i), 0) {
			return wasiFAULT
		}
		return errno
	}
}

// fdWrite makes one log line of one call: standard output is info, standard
// error is error, and a newline at the end goes.
func fdWrite(v *vm, p args) uint64 { return writeLog(v, p.u32(0), p.u32(1), p.u32(2), p.u32(3)) }

func fdPwrite(v *vm, p args) uint64 { return writeLog(v, p.u32(0), p.u32(1), p.u32(2), p.u32(4)) }

func writeLog(v *vm, fd, iovs, count, written uint32) uint64 {
	level := LevelInfo
	switch fd {
	case fdStdout:
	case fdStderr:
		level = LevelError
	default:
		return wasiBADF
	}
	var line []byte
	for i := range count {
		iov, ok := v.read(iovs+8*i, 8)
		if !ok {
			return wasiFAULT
		}
		part, ok := v.read(binary.LittleEndian.Uint32(iov), binary.LittleEndian.Uint32(iov[4:]))
		if !ok {
			return wasiFAULT
		}
		line = append(line, part...)
	}
	if len(line) > 0 {
		v.log(level, strings.TrimSuffix(string(line), "\n"))
	}
	if !v.write32(written, uint32(len(line))) {
		return wasiFAULT
	}
	return wasiOK
}

// fdFdstatGet knows standard output and error only; both may be written.
func fdFdstatGet(v *vm, p args) uint64 {
	if onlyStandardStreams(v, p) != wasiOK {
		return wasiBADF
	}
	var stat [24]byte
	stat[8] = rightsWrite
	v.mod.Memory().Write(p.u32(1), stat[:])
	return wasiOK
}

func fdRenumber(v *vm, p args) uint64 {
	if onlyStandardStreams(v, p) != wasiOK || onlyStandardStreams(v, p[1:]) != wasiOK {
		return wasiBADF
	}
	return wasiNOTSUP
}

func fdTell(v *vm, p args) uint64 {
	if onlyStandardStreams(v, p) != wasiOK {
		return wasiBADF
	}
	if !v.write64(p.u32(1), 0) {
		return wasiFAULT
	}
	return wasiOK
}

func environGet(v *vm, p args) uint64 {
	pointers, buf := p.u32(0), p.u32(1)
	for _, key := range sortedKeys(v.host.cfg.Env) {
		entry := key + "=" + v.host.cfg.Env[key] + "\x00"
		if !v.write32(pointers, buf) || !v.mod.Memory().WriteString(buf, entry) {
			return wasiFAULT
		}
		pointers += 4
		buf += uint32(len(entry))
	}
	return wasiOK
}

func environSizesGet(v *vm, p args) uint64 {
	size := 0
	for key, value := range v.host.cfg.Env {
		size += len(key) + len(value) + 2
	}
	if !v.write32(p.u32(0), uint32(len(v.host.cfg.Env))) || !v.write32(p.u32(1), uint32(size)) {
		return wasiFAULT
	}
	return wasiOK
}

func argsSizesGet(v *vm, p args) uint64 {
	if !v.write32(p.u32(0), 0) || !v.write32(p.u32(1), 0) {
		return wasiFAULT
	}
	return wasiOK
}

// The clocks that WASI names and Envoy has.
const (
	clockRealtime = iota
	clockMonotonic
)

func clockTimeGet(v *vm, p args) uint64 {
	var now int64
	switch p.u32(0) {
	case clockRealtime:
		now = v.host.cfg.Clock.Now().UnixNano()
	case clockMonotonic:
		now = v.host.monotonic()
	default:
		return wasiNOTSUP
	}
	if !v.write64(p.u32(2), uint64(now)) {
		return wasiFAULT
	}
	return wasiOK
}

func clockResGet(v *vm, p args) uint64 {
	if p.u32(0) > clockMonotonic {
		return wasiNOTSUP
	}
	if !v.write64(p.u32(1), 1) {
		return wasiFAULT
	}
	return wasiOK
}

func randomGet(v *vm, p args) uint64 {
	size := p.u32(1)
	if size > maxRandom {
		return wasiINVAL
	}
	b := make([]byte, size)
	rand.Read(b) // never fails since Go 1.24
	if !v.mod.Memory().Write(p.u32(0), b) {
		return wasiFAULT
	}
	return wasiOK
}
