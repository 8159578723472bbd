package config

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
	"unicode/utf8"
)

// Envoy hands settings that stand in its configuration as a
// google.protobuf.Struct over in the wire format of Protocol Buffers: the
// fields below, in any order, each a tag, a length and its bytes.
// https://protobuf.dev/programming-guides/encoding/ and struct.proto have it.

const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2

	structTag = 1<<3 | wireBytes // with which every Struct begins that is not empty
)

var errNoStruct = errors.New("the settings are neither JSON nor a google.protobuf.Struct")

// protoReader makes the tree of a Struct. It counts as builder does.
type protoReader struct{ values int }

// parseStruct reads a whole Struct.
func parseStruct(data []byte) (*node, error) { return new(protoReader).object(data, 1) }

// fields calls f for each field of a message.
func (r *protoReader) fields(data []byte, f func(number, wire int, value []byte) error) error {
	for len(data) > 0 {
		tag, n := binary.Uvarint(data)
		if n <= 0 || tag>>3 == 0 || tag>>3 > math.MaxInt16 {
			return errNoStruct
		}
		value, rest, ok := cutValue(data[n:], int(tag&7))
		if !ok {
			return errNoStruct
		}
		if err := f(int(tag>>3), int(tag&7), value); err != nil {
			return err
		}
		data = rest
	}
	return nil
}

// cutValue divides the value of a field from what follows it.
func cutValue(data []byte, wire int) (value, rest []byte, ok bool) {
	switch wire {
	case wireVarint:
		_, n := binary.Uvarint(data)
		return data[:max(n, 0)], data[max(n, 0):], n > 0
	case wireFixed64:
		if len(data) < 8 {
			return nil, nil, false
		}
		return data[:8], data[8:], true
	case wireBytes:
		size, n := binary.Uvarint(data)
		if n <= 0 || size > uint64(len(data)-n) {
			return nil, nil, false
		}
		return data[n:][:size], data[n:][size:], true
	}
	return nil, nil, false
}

// object reads a Struct: a map of names to Values, each an entry of its own.
func (r *protoReader) object(data []byte, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	o := &node{kind: kindObject}
	err := r.fields(data, func(number, wire int, entry []byte) error {
		if number != 1 || wire != wireBytes {
			return errNoStruct
		}
		return r.entry(o, entry, depth)
	})
	sort.Sort(byKey{o}) // they come in no order; problems are told in one
	return o, err
}

type byKey struct{ *node }

func (o byKey) Len() int           { return len(o.keys) }
func (o byKey) Less(i, j int) bool { return o.keys[i] < o.keys[j] }
func (o byKey) Swap(i, j int) {
	o.keys[i], o.keys[j] = o.keys[j], o.keys[i]
	o.items[i], o.items[j] = o.items[j], o.items[i]
}

func (r *protoReader) entry(o *node, data []byte, depth int) error {
	key, item := "", &node{kind: kindNull}
	err := r.fields(data, func(number, wire int, value []byte) (err error) {
		switch {
		case number == 1 && wire == wireBytes && utf8.Valid(value):
			key = string(value)
		case number == 2 && wire == wireBytes:
			item, err = r.value(value, depth)
		default:
			err = errNoStruct
		}
		return err
	})
	o.keys, o.items = append(o.keys, key), append(o.items, item)
	return err
}

// value reads a Value: one of null, number, text, truth, Struct and list.
func (r *protoReader) value(data []byte, depth int) (*node, error) {
	if r.values++; r.values > maxValues {
		return nil, errTooMany
	}
	n := &node{kind: kindNull}
	err := r.fields(data, func(number, wire int, value []byte) (err error) {
		switch {
		case number == 1 && wire == wireVarint:
			n = &node{kind: kindNull}
		case number == 2 && wire == wireFixed64:
			n, err = protoNumber(value)
		case number == 3 && wire == wireBytes && utf8.Valid(value):
			n = &node{kind: kindString, text: string(value)}
		case number == 4 && wire == wireVarint:
			n = &node{kind: kindBool, truth: value[0] != 0}
		case number == 5 && wire == wireBytes:
			n, err = r.object(value, depth+1)
		case number == 6 && wire == wireBytes:
			n, err = r.list(value, depth+1)
		default:
			err = errNoStruct
		}
		return err
	})
	return n, err
}

func (r *protoReader) list(data []byte, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	l := &node{kind: kindList}
	err := r.fields(data, func(number, wire int, value []byte) error {
		if number != 1 || wire != wireBytes {
			return errNoStruct
		}
		item, err := r.value(value, depth)
		l.items = append(l.items, item)
		return err
	})
	return l, err
}

// protoNumber writes a double as JSON would.
func protoNumber(value []byte) (*node, error) {
	f := math.Float64frombits(binary.LittleEndian.Uint64(value))
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("the settings hold a number that is none")
	}
	return &node{kind: kindNumber, text: strconv.FormatFloat(f, 'g', -1, 64)}, nil
}
