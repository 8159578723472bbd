//go:build wasip1

package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

func logf(event string, id uint32, parts ...any) {
	line := event + "@" + strconv.Itoa(int(id)) + " " + strings.TrimSuffix(fmt.Sprintln(parts...), "\n")
	p, n := bytesOf(line)
	proxyLog(2, p, n)
}

// run does an event's commands; "return" sets the result.
func run(event string, id, result uint32) uint32 {
	s := scripts[id]
	if root, ok := roots[id]; ok {
		s = scripts[root]
	}
	for _, c := range s[event] {
		f := strings.Fields(c)
		for i := range f { // so that a script can speak of a line break
			f[i] = strings.ReplaceAll(f[i], "%0a", "\n")
		}
		switch {
		case len(f) == 0:
		case f[0] == "return":
			result = number(f[1])
		case f[0] == "quiet":
			quietly(f[1:])
		default:
			logf(event, id, append([]any{strings.Join(f, " "), "->"}, command(f[0], append(f[1:], "", "", ""))...)...)
		}
	}
	return result
}

// quietly runs a command without a log line.
func quietly(f []string) { command(f[0], append(f[1:], "", "", "")) }

func number(s string) uint32 {
	switch {
	case s == "first":
		return streams[0]
	case s == "last":
		return streams[len(streams)-1]
	}
	n, _ := strconv.ParseInt(s, 10, 64)
	return uint32(n)
}

func fields(f []string) [][2]string {
	var pairs [][2]string
	for _, s := range f {
		if k, v, ok := strings.Cut(s, "="); ok {
			pairs = append(pairs, [2]string{k, v})
		}
	}
	return pairs
}

func buffer(kind uint32) string {
	var p *byte
	var n uint32
	if proxyGetBufferBytes(kind, 0, 1<<20, at(&p), &n) != 0 {
		return ""
	}
	return taken(p, n)
}

// command does one thing and tells its status and value.
func command(name string, f []string) []any {
	if r := headerCommand(name, f); r != nil {
		return r
	}
	if r := storeCommand(name, f); r != nil {
		return r
	}
	var p *byte
	var n uint32
	switch name {
	case "log":
		mp, mn := bytesOf(f[1])
		return []any{proxyLog(number(f[0]), mp, mn)}
	case "loglevel":
		return []any{proxyGetLogLevel(&n), n}
	case "status":
		var code uint32
		s := proxyGetStatus(&code, at(&p), &n)
		return []any{s, code, taken(p, n)}
	case "property":
		kp, kn := bytesOf(strings.ReplaceAll(f[0], ".", "\x00"))
		s := proxyGetProperty(kp, kn, at(&p), &n)
		return []any{s, strconv.Quote(taken(p, n))}
	case "setproperty":
		kp, kn := bytesOf(f[0])
		vp, vn := bytesOf(f[1])
		return []any{proxySetProperty(kp, kn, vp, vn)}
	case "buffer":
		s := proxyGetBufferBytes(number(f[0]), number(f[1]), number(f[2]), at(&p), &n)
		return []any{s, n, taken(p, n)}
	case "setbuffer":
		bp, bn := bytesOf(f[3])
		return []any{proxySetBufferBytes(number(f[0]), number(f[1]), number(f[2]), bp, bn)}
	case "effective":
		return []any{proxySetEffectiveContext(number(f[0]))}
	case "done":
		return []any{proxyDone()}
	case "foreign":
		np, nn := bytesOf(f[0])
		return []any{proxyCallForeignFunction(np, nn, nil, 0, at(&p), &n)}
	case "continue":
		return []any{proxyContinueStream(number(f[0]))}
	case "close":
		return []any{proxyCloseStream(number(f[0]))}
	case "tick":
		return []any{proxySetTickPeriod(number(f[0]))}
	case "now":
		var ns uint64
		return []any{proxyGetCurrentTime(&ns), time.Unix(0, int64(ns)).UTC().Format(time.RFC3339)}
	}
	return systemCommand(name, f)
}

func systemCommand(name string, f []string) []any {
	switch name {
	case "panic":
		panic("asked to")
	case "exit":
		os.Exit(3)
	case "gc":
		for range 20 {
			_ = make([]byte, 1<<20)
			runtime.GC()
		}
	case "grow":
		kept = append(kept, make([]byte, int(number(f[0]))<<20))
	case "env":
		return []any{os.Getenv(f[0])}
	case "environ":
		return []any{len(os.Environ())}
	case "open":
		_, err := os.Open(f[0])
		return []any{err}
	case "stdout":
		fmt.Println(f[0])
	case "stderr":
		fmt.Fprintln(os.Stderr, f[0])
	case "alloc":
		allocMode = f[0]
	case "time":
		return []any{time.Now().UTC().Format(time.RFC3339)}
	}
	return []any{"ok"}
}

var kept [][]byte

func headerCommand(name string, f []string) []any {
	kp, kn := bytesOf(f[1])
	vp, vn := bytesOf(f[2])
	var p *byte
	var n uint32
	switch name {
	case "get":
		s := proxyGetHeaderMapValue(number(f[0]), kp, kn, at(&p), &n)
		return []any{s, taken(p, n)}
	case "add":
		return []any{proxyAddHeaderMapValue(number(f[0]), kp, kn, vp, vn)}
	case "replace":
		return []any{proxyReplaceHeaderMapValue(number(f[0]), kp, kn, vp, vn)}
	case "remove":
		return []any{proxyRemoveHeaderMapValue(number(f[0]), kp, kn)}
	case "pairs":
		s := proxyGetHeaderMapPairs(number(f[0]), at(&p), &n)
		return []any{s, p == nil, n > 0, decode(taken(p, n))}
	case "setpairs": // map, number of pairs, size of each value
		pairs := make([][2]string, number(f[1]))
		for i := range pairs {
			pairs[i] = [2]string{"X-" + strconv.Itoa(i), strings.Repeat("v", int(number(f[2])))}
		}
		bp, bn := bytesOf(encode(pairs))
		return []any{proxySetHeaderMapPairs(number(f[0]), bp, bn)}
	case "reply": // code, grpc status, body or -, then name=value
		body, headers := f[2], fields(f[3:])
		if body == "-" {
			body = ""
		}
		if f[3] == "many" {
			for range 1025 {
				headers = append(headers, [2]string{"x-many", "v"})
			}
		}
		d, dn := bytesOf("some details")
		b, bn := bytesOf(body)
		h, hn := bytesOf(encode(headers))
		return []any{proxySendLocalResponse(number(f[0]), d, dn, b, bn, h, hn, int32(number(f[1])))}
	case "call": // cluster, milliseconds, body or -, then name=value
		body, headers := f[2], fields(f[3:])
		if body == "-" {
			body = ""
		}
		c, cn := bytesOf(f[0])
		h, hn := bytesOf(encode(headers))
		b, bn := bytesOf(body)
		s := proxyHTTPCall(c, cn, h, hn, b, bn, nil, 0, number(f[1]), &n)
		return []any{s, n}
	}
	return nil
}

func storeCommand(name string, f []string) []any {
	kp, kn := bytesOf(f[0])
	vp, vn := bytesOf(f[1])
	var p *byte
	var n, cas uint32
	var value uint64
	switch name {
	case "share":
		return []any{proxySetSharedData(kp, kn, vp, vn, number(f[2]))}
	case "shared":
		s := proxyGetSharedData(kp, kn, at(&p), &n, &cas)
		return []any{s, taken(p, n), cas}
	case "queue":
		return []any{proxyRegisterSharedQueue(kp, kn, &n), n}
	case "enqueue":
		return []any{proxyEnqueueSharedQueue(number(f[0]), vp, vn)}
	case "dequeue":
		s := proxyDequeueSharedQueue(number(f[0]), at(&p), &n)
		return []any{s, taken(p, n)}
	case "define":
		return []any{proxyDefineMetric(number(f[0]), vp, vn, &n), n}
	case "increment":
		by, _ := strconv.ParseInt(f[1], 10, 64)
		return []any{proxyIncrementMetric(number(f[0]), by)}
	case "record":
		return []any{proxyRecordMetric(number(f[0]), uint64(number(f[1])))}
	case "metric":
		s := proxyGetMetric(number(f[0]), &value)
		return []any{s, value}
	}
	return nil
}
