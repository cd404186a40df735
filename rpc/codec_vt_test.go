package rpc_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
)

// vtText is a message that encodes and decodes itself, by methods as vtprotobuf
// generates them. A fault replaces what a method does.
type vtText struct {
	wrapperspb.StringValue
	sized, encoded, decoded int // calls of the methods

	faultySize    func() int
	faultyMarshal func(data []byte) (int, error)
	faultyMerge   func(data []byte) error
}

func (m *vtText) SizeVT() int {
	m.sized++
	if m.faultySize != nil {
		return m.faultySize()
	}
	return proto.Size(&m.StringValue)
}

func (m *vtText) MarshalToSizedBufferVT(data []byte) (int, error) {
	m.encoded++
	if m.faultyMarshal != nil {
		return m.faultyMarshal(data)
	}
	var encoded []byte
	if m.Value != "" {
		encoded = append([]byte{0x0a, byte(len(m.Value))}, m.Value...)
	}
	return copy(data[len(data)-len(encoded):], encoded), nil
}

func (m *vtText) UnmarshalVT(data []byte) error {
	m.decoded++
	if m.faultyMerge != nil {
		return m.faultyMerge(data)
	}
	if len(data) > 0 {
		m.Value = string(data[2:])
	}
	return nil
}

func vt(value string) *vtText { return &vtText{StringValue: wrapperspb.StringValue{Value: value}} }

// echoVT returns the last message, by the methods of the messages.
func echoVT(_ context.Context, s rpc.Stream) error {
	req := new(vtText)
	if err := s.Recv(req); err != nil {
		return err
	}
	if req.decoded != 1 {
		return rpc.Errorf(rpc.CodeDataLoss, "UnmarshalVT was called %d times", req.decoded)
	}
	res := vt(req.Value)
	if err := s.Send(res); err != nil {
		return err
	}
	if res.sized != 1 || res.encoded != 1 {
		return rpc.Errorf(rpc.CodeDataLoss, "SizeVT was called %d times, MarshalToSizedBufferVT %d times", res.sized, res.encoded)
	}
	return nil
}

func TestMessagesWithMethodsOfVTProtobufUseThem(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) { registerAll(srv, echoVT) })
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		s, err := p.client.Open(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		req, res := vt("a"), vt("of before")
		if err := s.Send(req); err != nil || req.sized != 1 || req.encoded != 1 {
			t.Fatalf("SizeVT was called %d times, MarshalToSizedBufferVT %d times, %v", req.sized, req.encoded, err)
		}
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if err := s.Recv(res); err != nil || res.Value != "a" || res.decoded != 1 {
			t.Fatalf("%q, UnmarshalVT was called %d times, %v", res.Value, res.decoded, err)
		}
	})
}

func TestUnaryCallsUseTheMethodsOfVTProtobuf(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		register(srv, unary, rpc.UnaryHandler(func(_ context.Context, req *vtText) (*vtText, error) {
			if req.decoded != 1 {
				return nil, rpc.Errorf(rpc.CodeDataLoss, "UnmarshalVT was called %d times", req.decoded)
			}
			return vt(req.Value + req.Value), nil
		}))
	})
	for _, text := range []string{"a", ""} {
		res, err := rpc.CallUnary[vtText, vtText](t.Context(), p.client, unary, vt(text))
		if err != nil || res.Value != text+text || res.decoded != 1 {
			t.Fatalf("%v, %v", res, err)
		}
	}
}

func TestAMessageIsResetBeforeItIsDecodedAgain(t *testing.T) {
	m := vt("of before")
	if err := rpc.ProtoCodec().Unmarshal(nil, m); err != nil || m.Value != "" {
		t.Fatalf("%q, %v", m.Value, err)
	}
}

// vtFaults are faults of the methods, and what the error says.
var vtFaults = map[string]struct {
	spoil func(*vtText)
	says  string
}{
	"size panics":       {func(m *vtText) { m.faultySize = func() int { panic(secret) } }, "SizeVT panicked with a string"},
	"size is negative":  {func(m *vtText) { m.faultySize = func() int { return -1 } }, "SizeVT returned -1"},
	"size is huge":      {func(m *vtText) { m.faultySize = func() int { return 1 << 40 } }, "SizeVT returned 1099511627776"},
	"size is too small": {func(m *vtText) { m.faultySize = func() int { return 2 } }, "MarshalToSizedBufferVT panicked: runtime error"},
	"size is too large": {func(m *vtText) { m.faultySize = func() int { return 9 } }, "SizeVT returned 9, MarshalToSizedBufferVT wrote 3 bytes"},
	"marshal fails":     {func(m *vtText) { m.faultyMarshal = func([]byte) (int, error) { return 0, errors.New("not now") } }, "not now"},
	"marshal panics":    {func(m *vtText) { m.faultyMarshal = func([]byte) (int, error) { panic(secret) } }, "MarshalToSizedBufferVT panicked with a string"},
	"text is not UTF-8": {func(m *vtText) { m.Value = "\xff" }, "google.protobuf.StringValue.value contains invalid UTF-8"},
	"bytes are no message": {func(m *vtText) {
		m.faultyMarshal = func(data []byte) (int, error) { return copy(data, "\x0a\x07a"), nil }
	}, "unexpected EOF"},
	"tag is cut": {func(m *vtText) {
		m.faultyMarshal = func(data []byte) (int, error) { return copy(data, "\xff\xff\xff"), nil }
	}, "unexpected EOF"},
	"more than it has room": {func(m *vtText) { m.faultyMarshal = func(data []byte) (int, error) { return len(append(data, 0)), nil } }, "wrote 4 bytes"},
}

func TestAMessageWhoseMethodsAreFaultyFailsOnlyItsCall(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		registerAll(srv, func(_ context.Context, s rpc.Stream) error {
			req := vt("")
			if err := s.Recv(req); err != nil {
				return err
			}
			res := vt("a")
			if fault, ok := vtFaults[req.Value]; ok {
				fault.spoil(res)
			}
			return s.Send(res)
		})
	})
	for name, fault := range vtFaults {
		t.Run(name, func(t *testing.T) {
			forKinds(t, func(t *testing.T, m *rpc.Method) {
				faulty := vt("a")
				fault.spoil(faulty)
				wantFault(t, sendOne(t, p.client, m, faulty), fault.says)
				wantFault(t, sendOne(t, p.client, m, vt(name)), fault.says)
				if err := sendOne(t, p.client, m, vt("no fault")); err != nil {
					t.Fatalf("the next call: %v", err)
				}
			})
		})
	}
}

func TestAMessageThatCannotDecodeItselfFailsOnlyItsCall(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) { registerAll(srv, echo) })
	for says, merge := range map[string]func([]byte) error{
		"UnmarshalVT panicked with a string":  func([]byte) error { panic(secret) },
		"UnmarshalVT panicked: runtime error": func(data []byte) error { i := len(data); data[i] = 0; return nil },
		"not today":                           func([]byte) error { return errors.New("not today") },
	} {
		forKinds(t, func(t *testing.T, m *rpc.Method) {
			s, err := p.client.Open(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Send(vt("a")); err != nil {
				t.Fatal(err)
			}
			if err := s.CloseSend(); err != nil {
				t.Fatal(err)
			}
			res := vt("")
			res.faultyMerge = merge
			wantFault(t, s.Recv(res), says)
			if got, err := converse(t.Context(), p.client, m, []string{"b"}); err != nil || got[0] != "b" {
				t.Fatalf("the next call: %q, %v", got, err)
			}
		})
	}
}

// sendOne makes a call with one message, and returns its error.
func sendOne(t *testing.T, c rpc.Caller, m *rpc.Method, msg *vtText) error {
	t.Helper()
	s, err := c.Open(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Send(msg); err != nil {
		return err
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	return s.Recv(new(wrapperspb.StringValue))
}

func wantFault(t *testing.T, err error, says string) {
	t.Helper()
	wantError(t, err, rpc.CodeInternal)
	if !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), secret) {
		t.Fatalf("%v does not say %q", err, says)
	}
}

func TestTextThatIsNotUTF8IsRefusedBeforeItIsDecoded(t *testing.T) {
	m := vt("")
	err := rpc.ProtoCodec().Unmarshal([]byte("\x0a\x01\xff"), m)
	if err == nil || !strings.Contains(err.Error(), "invalid UTF-8") || m.decoded != 0 {
		t.Fatalf("%v, decoded %d times", err, m.decoded)
	}
}
