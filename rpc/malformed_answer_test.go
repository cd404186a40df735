package rpc_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// answerRow is a response that a caller does not expect.
type answerRow struct {
	row, name string
	methods   []*rpc.Method
	answer    func(id uint64) [][]byte
	code      rpc.Code
}

func answerRows(t *testing.T) []answerRow {
	one, wrong := encoded(t, "one"), []byte{0x0a, 0xff}
	single, many := []*rpc.Method{unary, upload}, []*rpc.Method{download, bidi}
	header := func(fields ...[]byte) func(id uint64) [][]byte {
		return func(id uint64) [][]byte {
			return [][]byte{headerFrame(id, block(fields...)), dataFrame(id, 0, one), endFrame(id, nil)}
		}
	}
	end := func(fields ...[]byte) func(id uint64) [][]byte {
		return func(id uint64) [][]byte { return [][]byte{dataFrame(id, 0, one), endFrame(id, block(fields...))} }
	}
	data := func(flags frame.Flags, payload []byte, fields ...[]byte) func(id uint64) [][]byte {
		return func(id uint64) [][]byte {
			return [][]byte{headerFrame(id, block(fields...)), dataFrame(id, flags, payload), endFrame(id, nil)}
		}
	}
	gzip := bytesField(5, "gzip")
	return []answerRow{
		{"R1", "key 0 in the header", kinds, header(uintField(0, 0)), rpc.CodeInternal},
		{"R1", "a key twice in the header", kinds, header(gzip, gzip), rpc.CodeInternal},
		{"R1", "a field that is cut in the header", kinds, header([]byte{9, 9}), rpc.CodeInternal},
		{"R1", "a header without a message", kinds, func(id uint64) [][]byte {
			return [][]byte{headerFrame(id, uintField(0, 0)), endFrame(id, uintField(2, 5))}
		}, rpc.CodeInternal},
		{"R1", "key 0 at the end", kinds, end(uintField(0, 0)), rpc.CodeInternal},
		{"R1", "a status twice", kinds, end(uintField(2, 5), uintField(2, 5)), rpc.CodeInternal},
		{"R1", "a message that is cut", kinds, end([]byte{1, 5, 'a'}), rpc.CodeInternal},
		{"R3", "a key in upper case in the header", kinds, header(metadataField("Tag", "x")), rpc.CodeInternal},
		{"R3", "a value with a newline at the end", kinds, end(metadataField("tag", "\n")), rpc.CodeInternal},
		{"R20", "too many pairs in the header", kinds, header(tooManyPairs()), rpc.CodeResourceExhausted},
		{"R20", "too many pairs at the end", kinds, end(tooManyPairs()), rpc.CodeResourceExhausted},
		{"-", "as many pairs as there may be", kinds, end(pairs(256)), rpc.CodeOK},
		{"R7", "a mark without an encoding", kinds, data(frame.FlagMark, gzipped(t, one)), rpc.CodeInternal},
		{"R7", "an encoding that was not accepted", kinds, data(0, one, bytesField(5, "br")), rpc.CodeInternal},
		{"R7", "a message in one that was not accepted", kinds, data(frame.FlagMark, one, bytesField(5, "br")), rpc.CodeInternal},
		{"R8", "a message that does not parse", kinds, data(0, wrong), rpc.CodeInternal},
		{"R8", "a message that does not inflate", kinds, data(frame.FlagMark, one, gzip), rpc.CodeInternal},
		{"R9", "a message that inflates beyond the limit", kinds, data(frame.FlagMark, gzipped(t, make([]byte, 64<<10+1)), gzip), rpc.CodeResourceExhausted},
		{"R15", "a detail that does not parse", kinds, end(uintField(2, 5), bytesField(11, "\xff")), rpc.CodeNotFound},
		{"R16", "a status that does not exist", kinds, end(uintField(2, 17)), rpc.CodeUnknown},
		{"R16", "the largest status", kinds, end(uintField(2, frame.MaxVarint)), rpc.CodeUnknown},
		{"R17", "text that is not UTF-8", kinds, end(uintField(2, 10), bytesField(1, "a\xff")), rpc.CodeAborted},
		{"R19", "no message", single, func(id uint64) [][]byte { return [][]byte{endFrame(id, nil)} }, rpc.CodeInternal},
		{"R19", "two messages", single, func(id uint64) [][]byte {
			return [][]byte{dataFrame(id, 0, one), dataFrame(id, frame.FlagEnd, one)}
		}, rpc.CodeInternal},
		{"-", "no message", many, func(id uint64) [][]byte { return [][]byte{endFrame(id, nil)} }, rpc.CodeOK},
		{"-", "two messages", many, func(id uint64) [][]byte {
			return [][]byte{dataFrame(id, 0, one), dataFrame(id, frame.FlagEnd, one)}
		}, rpc.CodeOK},
		{"-", "a failure that has neither message nor header", kinds, func(id uint64) [][]byte {
			return [][]byte{endFrame(id, uintField(2, 5))}
		}, rpc.CodeNotFound},
		{"-", "an OK that has message and details", kinds, end(bytesField(1, "fine"), bytesField(11, "\xff")), rpc.CodeOK},
		{"-", "unknown keys", kinds, end(uintField(1000, 1), bytesField(13, "x")), rpc.CodeOK},
	}
}

func TestAnAnswerThatIsNotExpectedEndsItsCallAlone(t *testing.T) {
	for _, c := range answerRows(t) {
		t.Run(c.row+" "+c.name, func(t *testing.T) {
			client := rpc.NewClient("ws://in.memory", rpc.WithTransport(transport.Parameters{MaxMessage: 64 << 10}))
			p := callRaw(t, client)
			other, err := client.Open(t.Context(), bidi)
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			otherID, _ := p.wantOpen()
			for _, m := range c.methods {
				call := start(func() ([]string, error) {
					return converse(t.Context(), client, m, []string{"a"}, rpc.WithCompression("gzip"))
				})
				p.write(c.answer(p.takeCall())...)
				got := <-call
				if wantCode(t, got.err, c.code); c.code != rpc.CodeOK {
					wantError(t, got.err, c.code)
				}
				if c.code == rpc.CodeInternal && errors.Is(got.err, rpc.CodeInvalidArgument) {
					t.Errorf("%v is found to be the caller's fault", got.err)
				}
			}
			p.write(dataFrame(otherID, 0, encoded(t, "alive")))
			if err := other.Recv(new(wrapperspb.StringValue)); err != nil {
				t.Fatalf("the other call: %v", err)
			}
		})
	}
}

// TestABadAnswerResetsAStreamThatIsOpen has a peer that sends a bad response
// and goes on.
func TestABadAnswerResetsAStreamThatIsOpen(t *testing.T) {
	one := encoded(t, "one")
	for name, bad := range map[string]struct {
		method *rpc.Method
		frames func(id uint64) [][]byte
	}{
		"R1": {bidi, func(id uint64) [][]byte {
			return [][]byte{headerFrame(id, uintField(0, 0)), dataFrame(id, 0, one)}
		}},
		"R7": {download, func(id uint64) [][]byte {
			return [][]byte{headerFrame(id, bytesField(5, "br")), dataFrame(id, 0, one)}
		}},
		"R8":  {bidi, func(id uint64) [][]byte { return [][]byte{dataFrame(id, 0, []byte{0xff})} }},
		"R19": {unary, func(id uint64) [][]byte { return [][]byte{dataFrame(id, 0, one), dataFrame(id, 0, one)} }},
	} {
		t.Run(name, func(t *testing.T) {
			client := rpc.NewClient("ws://in.memory")
			p := callRaw(t, client)
			s, err := client.Open(t.Context(), bad.method)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Send(text("a")); err != nil {
				t.Fatal(err)
			}
			id := p.takeCall()
			p.write(bad.frames(id)...)
			wantError(t, s.Recv(new(wrapperspb.StringValue)), rpc.CodeInternal)
			p.wantCancel(id)
		})
	}
}

func TestAnEndThatTheCallerDoesNotWaitForResetsTheRest(t *testing.T) {
	client := rpc.NewClient("ws://in.memory")
	p := callRaw(t, client)
	s, err := client.Open(t.Context(), bidi)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(text("a")); err != nil {
		t.Fatal(err)
	}
	id := p.takeCall()
	p.write(dataFrame(id, frame.FlagEnd, encoded(t, "last")))
	if got, err := recvAll(s); err != nil || !slices.Equal(got, []string{"last"}) {
		t.Fatalf("%q, %v", got, err)
	}
	p.wantCancel(id)
}

func TestTextOfThePeerIsMadeUTF8(t *testing.T) {
	client := rpc.NewClient("ws://in.memory")
	p := callRaw(t, client)
	call := start(func() ([]string, error) { return converse(t.Context(), client, unary, []string{"a"}) })
	p.write(endFrame(p.takeCall(), block(uintField(2, 10), bytesField(1, "a\xff\xfeb"))))
	got := <-call
	var e *rpc.Error
	if !errors.As(got.err, &e) || e.Message() != "a\uFFFDb" {
		t.Fatalf("got %v", got.err)
	}
}

// TestReservedMetadataIsNotShown has a response with the protocol's own keys.
func TestReservedMetadataIsNotShown(t *testing.T) {
	client := rpc.NewClient("ws://in.memory")
	p := callRaw(t, client)
	var header, trailer rpc.Metadata
	call := start(func() ([]string, error) {
		return converse(t.Context(), client, download, []string{"a"}, rpc.ReadHeader(&header), rpc.ReadTrailer(&trailer))
	})
	id := p.takeCall()
	pairs := block(metadataField("parley-a", "x"), metadataField("mine", "y"), metadataField("parley-b-bin", "\xff"))
	p.write(headerFrame(id, pairs), endFrame(id, pairs))
	if got := <-call; got.err != nil {
		t.Fatal(got.err)
	}
	if want := fmt.Sprint(rpc.Metadata{"mine": {"y"}}); fmt.Sprint(header) != want || fmt.Sprint(trailer) != want {
		t.Fatalf("header %q, trailer %q", header, trailer)
	}
}
