package rpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
)

// plainCodec encodes messages that are not protobuf: structs as Go's JSON.
type plainCodec struct{}

func (plainCodec) Name() string { return "plain" }

func (plainCodec) MarshalAppend(dst []byte, msg any) ([]byte, error) {
	b, err := json.Marshal(msg)
	return append(dst, b...), err
}

func (plainCodec) Unmarshal(data []byte, msg any) error { return json.Unmarshal(data, msg) }

func TestJSONIsSpokenOnRequest(t *testing.T) {
	url, srv := serve(t)
	registerAll(srv, echo)
	conn := dial(t, url)
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		texts := []string{"ä\"\n", "", "b"}
		got, err := converse(t.Context(), conn, m, texts, rpc.WithCodecName(rpc.CodecJSON))
		if err != nil || !slices.Equal(got, echoed(m, texts)) {
			t.Fatalf("%q, %v", got, err)
		}
	})
}

func TestJSONCanBeReadOnTheWire(t *testing.T) {
	client := rpc.NewClient("ws://in.memory")
	p := callRaw(t, client)
	call := start(func() ([]string, error) {
		return converse(t.Context(), client, unary, []string{"a"}, rpc.WithCodecName("json"))
	})
	id, open := p.wantOpen()
	if got := p.want(frame.TypeData, id).payload; open.Codec != "json" || string(got) != `"a"` {
		t.Fatalf("codec %q: %s", open.Codec, got)
	}
	p.write(dataFrame(id, frame.FlagEnd, []byte(` "b" `)))
	if got := <-call; got.err != nil || got.texts[0] != "b" {
		t.Fatalf("%q, %v", got.texts, got.err)
	}
}

func TestJSONSkipsFieldsOfNewerPeers(t *testing.T) {
	srv := newPinger(t)
	p := serveRaw(t, srv)
	p.write(openFrame(1, block(bytesField(1, "parley.ping.v1.PingService/Ping"), bytesField(3, "json"))),
		dataFrame(1, frame.FlagEnd, []byte(`{"text":"hi","fromTheFuture":1}`)))
	if got := p.want(frame.TypeData, 1).payload; !bytes.Contains(got, []byte(`"hi"`)) {
		t.Fatalf("got %s", got)
	}
	p.wantStatus(1, rpc.CodeOK)
}

func TestACodecOfItsOwnServesMessagesOfItsOwn(t *testing.T) {
	type sum struct{ A, B int }
	method := &rpc.Method{Service: "plain.Sum", Name: "Sum", ClientStreams: true, ServerStreams: true}
	with := rpc.WithCodec(plainCodec{})
	p := newPair(t, []rpc.ServerOption{with}, []rpc.ClientOption{with}, func(srv *rpc.Server) {
		register(srv, method, func(_ context.Context, s rpc.Stream) error {
			var in sum
			if err := s.Recv(&in); err != nil {
				return err
			}
			return s.Send(in.A + in.B)
		})
	})
	s, err := p.client.Open(t.Context(), method, rpc.WithCodecName("plain"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Send(sum{3, 4}); err != nil {
		t.Fatal(err)
	}
	var got int
	if err := s.Recv(&got); err != nil || got != 7 {
		t.Fatalf("%d, %v", got, err)
	}
}

func TestACodecMayBeReplaced(t *testing.T) {
	with := rpc.WithCodec(renamed{plainCodec{}, rpc.CodecJSON})
	p := newPair(t, []rpc.ServerOption{with}, []rpc.ClientOption{with}, func(srv *rpc.Server) { registerAll(srv, echo) })
	raw := serveRaw(t, p.srv)
	raw.write(openFrame(1, block(methodField(unary), bytesField(3, "json"))), dataFrame(1, frame.FlagEnd, []byte(`{"value":"as a struct"}`)))
	if got := raw.want(frame.TypeData, 1).payload; !bytes.Contains(got, []byte(`"value":"as a struct"`)) {
		t.Fatalf("got %s", got)
	}
}

// renamed is a codec under another name.
type renamed struct {
	rpc.Codec
	name string
}

func (r renamed) Name() string { return r.name }

func TestAnUnknownCodecOrCompressionIsNamedBesideTheKnown(t *testing.T) {
	p := newPair(t, nil, []rpc.ClientOption{rpc.WithCodec(plainCodec{}), rpc.WithCompressor(flat{})}, func(srv *rpc.Server) { registerAll(srv, echo) })
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		for _, c := range []struct {
			where string
			opt   rpc.CallOption
			says  []string
		}{
			{"here", rpc.WithCodecName("xml"), []string{`"xml"`, `"json"`, `"plain"`, `"proto"`}},
			{"here", rpc.WithCompression("br"), []string{`"br"`, `"flat"`, `"gzip"`}},
			{"there", rpc.WithCodecName("plain"), []string{`"plain"`, `["json" "proto"]`}},
			{"there", rpc.WithCompression("flat"), []string{`"flat"`, `["gzip"]`}},
		} {
			_, err := converse(t.Context(), p.client, m, []string{"a"}, c.opt)
			wantError(t, err, rpc.CodeUnimplemented)
			for _, says := range c.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("unknown %s: %v does not say %s", c.where, err, says)
				}
			}
		}
	})
}

func TestWhatACodecCannotEncodeFailsTheCall(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		registerAll(srv, func(_ context.Context, s rpc.Stream) error { return s.Send("no protobuf message") })
	})
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		for _, codec := range []string{rpc.CodecProto, rpc.CodecJSON} {
			_, err := converse(t.Context(), p.client, m, []string{"a"}, rpc.WithCodecName(codec))
			wantError(t, err, rpc.CodeInternal)

			s, err := p.client.Open(t.Context(), m, rpc.WithCodecName(codec))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the call is over
				wantError(t, s.Send("no protobuf message"), rpc.CodeInternal)
			}
			s.Close()
			s, err = p.client.Open(t.Context(), m, rpc.WithCodecName(codec))
			if err != nil {
				t.Fatal(err)
			}
			if !m.ClientStreams {
				_ = s.Send(text("a"))
			}
			wantError(t, s.Recv("no protobuf message"), rpc.CodeInternal)
			s.Close()
		}
	})
}

func TestWhatACodecCannotDecodeIntoFailsTheCall(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		register(srv, bidi, func(_ context.Context, s rpc.Stream) error {
			if err := s.Send(text("a")); err != nil {
				return err
			}
			return s.Recv("no protobuf message")
		})
	})
	for _, codec := range []string{rpc.CodecProto, rpc.CodecJSON} {
		s, err := p.client.Open(t.Context(), bidi, rpc.WithCodecName(codec))
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, s.Recv("no protobuf message"), rpc.CodeInternal)
		s.Close()
		_, err = converse(t.Context(), p.client, bidi, []string{"b"}, rpc.WithCodecName(codec))
		wantError(t, err, rpc.CodeInternal)
	}
}

func TestAMessageThatIsNotUTF8IsRefusedWhereItIsMade(t *testing.T) {
	url, _ := serve(t)
	_, err := connect(t, url).Ping(t.Context(), &pingv1.PingRequest{Text: "\xff"})
	wantError(t, err, rpc.CodeInternal)
	if !strings.Contains(err.Error(), "encode") {
		t.Errorf("got %v", err)
	}
}

// flat is a compressor that only counts and cuts.
type flat struct{}

func (flat) Name() string { return "flat" }

func (flat) Compress(dst, src []byte) ([]byte, error) {
	if bytes.Contains(src, []byte("fail")) {
		return nil, errors.New("cannot compress this")
	}
	return fmt.Appendf(dst, "%d", len(src)), nil
}

func (flat) Decompress(dst, src []byte, limit int) ([]byte, error) {
	var n int
	if _, err := fmt.Sscan(string(src), &n); err != nil {
		return nil, err
	}
	if n > limit {
		return nil, rpc.ErrInflatedTooLarge
	}
	return append(dst, make([]byte, n)...), nil
}
