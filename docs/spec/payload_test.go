package spec_test

import (
	"fmt"
	"slices"
	"strings"
)

// setting is a row of the tables of section 5.
type setting struct {
	key   uint64
	name  string
	least uint64 // of the value, or of the length in bytes
	most  uint64
	text  bool
}

const largest = 1<<53 - 1

var helloKeys = []setting{
	{key: 1, name: "session", least: 16, most: 64},
	{key: 2, name: "max_frame", least: 16384, most: 1 << 20},
	{key: 3, name: "token", least: 32, most: 32},
	{key: 4, name: "max_message", least: 65536, most: largest},
	{key: 5, name: "agent", most: 128, text: true},
	{key: 6, name: "max_header", least: 4096, most: 1 << 20},
	{key: 7, name: "replaces", least: 16, most: 64},
	{key: 8, name: "max_streams", least: 16, most: largest},
	{key: 9, name: "replaces_token", least: 32, most: 32},
	{key: 10, name: "initial_window", least: 16384, most: largest},
	{key: 12, name: "keepalive", least: 1000, most: 25000},
	{key: 14, name: "resume_window", most: largest},
	{key: 16, name: "replay_limit", least: 65536, most: largest},
	{key: 18, name: "received", most: largest},
	{key: 20, name: "resumed", most: 1},
	{key: 22, name: "attempt", most: largest},
}

var goAwayKeys = []setting{
	{key: 1, name: "reason", most: 1024, text: true},
	{key: 2, name: "last_stream", most: largest},
	{key: 3, name: "address", most: 1024, text: true},
	{key: 4, name: "status", most: largest},
	{key: 6, name: "delay", most: largest},
}

// checkPayload compares a payload with the form that the transport knows.
func checkPayload(f frame) error {
	ok := true
	switch f.Type {
	case "HELLO":
		return checkHello(f.Payload)
	case "GOAWAY":
		_, err := readNamed(f.Payload, goAwayKeys)
		return err
	case "DATA":
		ok = len(f.Payload) > 0 || !slices.Contains(f.Flags, "MORE")
	case "RESET":
		code, reason, err := varint(f.Payload)
		ok = err == nil && code > 0 && len(reason) <= 1024
	case "WINDOW", "ACK":
		_, rest, err := varint(f.Payload)
		ok = err == nil && len(rest) == 0
	case "PING", "PONG":
		ok = len(f.Payload) == 8
	}
	if !ok {
		return fmt.Errorf("%w: payload of %s", errFrame, f.Type)
	}
	return nil
}

func checkHello(p []byte) error {
	if len(p) > 4096 {
		return fmt.Errorf("%w: HELLO of %d bytes", errFrame, len(p))
	}
	v, err := readNamed(p, helloKeys)
	if err != nil {
		return err
	}
	maxFrame, maxHeader := uint64(16384), uint64(4096)
	if n, ok := v["max_frame"].(uint64); ok {
		maxFrame = n
	}
	if n, ok := v["max_header"].(uint64); ok {
		maxHeader = n
	}
	if maxHeader > maxFrame {
		return fmt.Errorf("%w: max_header over max_frame", errFrame)
	}
	if (v["session"] == nil) != (v["token"] == nil) {
		return fmt.Errorf("%w: one of session and token", errFrame)
	}
	if (v["replaces"] == nil) != (v["replaces_token"] == nil) {
		return fmt.Errorf("%w: one of replaces and its token", errFrame)
	}
	return nil
}

// checkSide checks that a HELLO has only what its sender may say (row N6).
func checkSide(p []byte, from string) error {
	v, err := readNamed(p, helloKeys)
	switch {
	case err != nil:
		return err
	case from == "dialer" && v["resumed"] != nil, v["resumed"] == uint64(1) && v["session"] == nil:
		return fmt.Errorf("%w: resumed", errFrame)
	}
	return nil
}

// readNamed reads a fields block into numbers, text and hex, by name.
func readNamed(p []byte, keys []setting) (map[string]any, error) {
	var known blockKeys
	for _, k := range keys {
		known.known = append(known.known, k.key)
	}
	fields, err := readFields(p, known)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFrame, err)
	}
	values := make(map[string]any)
	for _, f := range fields {
		i := slices.IndexFunc(keys, func(k setting) bool { return k.key == f.Key })
		if i < 0 {
			continue
		}
		k := keys[i]
		size, value := f.content(k.text)
		values[k.name] = value
		if size < k.least || size > k.most {
			return nil, fmt.Errorf("%w: %s of %d", errFrame, k.name, size)
		}
	}
	return values, nil
}

// content returns the bounded quantity, which is the number or the length of
// the bytes, and the value as the vectors write it.
func (f field) content(isText bool) (size uint64, value any) {
	switch {
	case f.Value != nil:
		return *f.Value, *f.Value
	case isText:
		return uint64(len(*f.Bytes)), text(*f.Bytes)
	}
	return uint64(len(*f.Bytes)), fmt.Sprintf("%x", []byte(*f.Bytes))
}

// text returns the text that a receiver reads from bytes that should be UTF-8
// (section 2.3).
func text(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }
