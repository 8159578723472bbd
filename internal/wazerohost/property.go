package wazerohost

import (
	"encoding/binary"
	"net"
	"strconv"
	"strings"
)

// proxyGetProperty answers a path of zero-separated segments.
func proxyGetProperty(v *vm, p args) status {
	path, ok := p.bytes(v, 0)
	if !ok {
		return statusInvalidMemoryAccess
	}
	value, ok := v.property(strings.Split(strings.TrimSuffix(string(path), "\x00"), "\x00"))
	if !ok {
		return statusNotFound
	}
	return v.give(value, p.u32(2), p.u32(3))
}

// proxySetProperty keeps a value in the stream's filter state.
func proxySetProperty(v *vm, p args) status {
	path, ok1 := p.bytes(v, 0)
	value, ok2 := p.bytes(v, 2)
	if !ok1 || !ok2 {
		return statusInvalidMemoryAccess
	}
	s := v.context().stream
	if s == nil {
		return statusNotFound
	}
	if s.filterState == nil {
		s.filterState = map[string][]byte{}
	}
	s.filterState[string(path)] = value
	return statusOK
}

func (v *vm) property(path []string) ([]byte, bool) {
	dotted := strings.Join(path, ".")
	if value, ok := v.host.cfg.Properties[dotted]; ok {
		return value, true
	}
	switch dotted {
	case "plugin_name":
		return []byte(v.host.cfg.PluginName), true
	case "plugin_root_id":
		return []byte(v.host.cfg.RootID), true
	case "plugin_vm_id":
		return []byte(v.host.cfg.VMID), true
	}
	s := v.context().stream
	if s == nil {
		return nil, false
	}
	if value, ok := s.filterState[dotted]; ok {
		return value, true
	}
	return s.property(path)
}

// property answers the attributes of a stream that are served here.
func (s *Stream) property(path []string) ([]byte, bool) {
	if len(path) == 3 && path[1] == "headers" {
		return s.headerProperty(path[0], path[2])
	}
	if len(path) == 2 && path[0] == "connection" {
		return s.connectionProperty(path[1])
	}
	request := func(name string) ([]byte, bool) {
		value, ok := s.request.log.get(name)
		return []byte(value), ok
	}
	switch strings.Join(path, ".") {
	case "request.path":
		return request(":path")
	case "request.url_path":
		full, ok := s.request.log.get(":path")
		plain, _, _ := strings.Cut(full, "?")
		return []byte(plain), ok
	case "request.host":
		return request(":authority")
	case "request.method":
		return request(":method")
	case "request.scheme":
		return request(":scheme")
	case "request.id":
		return request("x-request-id")
	case "request.protocol":
		return []byte(s.protocol), true
	case "response.code":
		code, err := strconv.ParseInt(s.response.log.value(":status"), 10, 64)
		return int64Property(code), err == nil
	case "source.address":
		return []byte(s.remote()), true
	case "source.port":
		_, port, _ := net.SplitHostPort(s.remote())
		n, err := strconv.ParseInt(port, 10, 64)
		return int64Property(n), err == nil
	case "xds.listener_direction":
		return int64Property(int64(s.host.cfg.Direction)), true
	}
	return nil, false
}

func (s *Stream) headerProperty(direction, name string) ([]byte, bool) {
	m := s.request.log
	if direction == "response" {
		m = s.response.log
	}
	if m == nil {
		return nil, false
	}
	value, ok := m.get(name)
	return []byte(value), ok
}

// int64Property is the form in which Envoy hands out numbers.
func int64Property(n int64) []byte {
	return binary.LittleEndian.AppendUint64(nil, uint64(n))
}
