package rpc_test

import (
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// headerRow is a response header that the caller must refuse.
type headerRow struct {
	name  string
	block []byte
	code  rpc.Code
}

func headerRows() []headerRow {
	return []headerRow{
		{"R1 key 0", uintField(0, 0), rpc.CodeInternal},
		{"R3 a key in upper case", metadataField("Tag", "x"), rpc.CodeInternal},
		{"R7 an encoding that was not accepted", bytesField(5, "br"), rpc.CodeInternal},
		{"R20 too many pairs", tooManyPairs(), rpc.CodeResourceExhausted},
	}
}

// TestABadHeaderEndsItsCallWithoutAMessage has a peer that sends a bad header
// and then nothing.
func TestABadHeaderEndsItsCallWithoutAMessage(t *testing.T) {
	for _, c := range headerRows() {
		t.Run(c.name, func(t *testing.T) {
			for _, m := range kinds {
				for _, opts := range [][]rpc.CallOption{nil, {rpc.WithCompression("gzip")}} {
					client := rpc.NewClient("ws://in.memory", rpc.WithRetry(rpc.RetryPolicy{MaxAttempts: 3, Codes: []rpc.Code{c.code}}))
					p := callRaw(t, client)
					call := start(func() ([]string, error) {
						return converse(t.Context(), client, m, []string{"a"}, append(opts, rpc.WithRetryable())...)
					})
					id := p.takeCall()
					p.write(headerFrame(id, c.block))
					reset := p.skipTo(frame.TypeReset, id) // behind the END of the kinds that send one
					if code, _, err := frame.ParseReset(reset.payload); err != nil || code != uint64(transport.ResetCancel) {
						t.Fatalf("got RESET %d, %v", code, err)
					}
					wantError(t, (<-call).err, c.code)
				}
			}
		})
	}
}

// TestABadHeaderEndsACallThatDoesNotReceive has a caller that only sends, or
// that asks for the header alone.
func TestABadHeaderEndsACallThatDoesNotReceive(t *testing.T) {
	for _, c := range headerRows() {
		t.Run(c.name, func(t *testing.T) {
			for _, m := range []*rpc.Method{upload, bidi} {
				client := rpc.NewClient("ws://in.memory")
				p := callRaw(t, client)
				s, err := client.Open(t.Context(), m)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				id, _ := p.wantOpen()
				p.write(headerFrame(id, c.block))
				p.wantCancel(id)
				wantError(t, s.Send(text("late")), c.code)
				_, err = s.Call().ResponseHeader()
				wantError(t, err, c.code)
				wantError(t, s.Recv(new(wrapperspb.StringValue)), c.code)
			}
		})
	}
}

// TestAGoodHeaderLeavesItsCallOpen is the counterpart: the header arrives, and
// then the rest.
func TestAGoodHeaderLeavesItsCallOpen(t *testing.T) {
	for _, m := range kinds {
		client := rpc.NewClient("ws://in.memory")
		p := callRaw(t, client)
		var header rpc.Metadata
		call := start(func() ([]string, error) {
			return converse(t.Context(), client, m, []string{"a"}, rpc.WithCompression("gzip"), rpc.ReadHeader(&header))
		})
		id := p.takeCall()
		p.write(headerFrame(id, block(bytesField(5, "gzip"), metadataField("tag", "x"))))
		p.write(dataFrame(id, 0, encoded(t, "one")), endFrame(id, nil))
		if got := <-call; got.err != nil || len(got.texts) != 1 || header.Get("tag") != "x" {
			t.Fatalf("%s: %q, %v, header %v", m.Path(), got.texts, got.err, header)
		}
	}
}
