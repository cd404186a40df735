package rpc_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// TestResetBehindTheEndChangesNoAnswer has a server that responds early and
// then resets the stream, before the caller has received anything or sent
// everything (rule S18).
func TestResetBehindTheEndChangesNoAnswer(t *testing.T) {
	failed := block(uintField(2, uint64(rpc.CodeFailedPrecondition)), bytesField(1, "not now"))
	all := []string{"a", "b"}
	for _, c := range []struct {
		name string
		end  func(id uint64) []byte
		want []string
		code rpc.Code
	}{
		{"a failure", func(id uint64) []byte { return endFrame(id, failed) }, all, rpc.CodeFailedPrecondition},
		{"OK", func(id uint64) []byte { return endFrame(id, nil) }, all, rpc.CodeOK},
		{"OK with a message", func(id uint64) []byte { return dataFrame(id, frame.FlagEnd, encoded(t, "c")) }, append(all[:2:2], "c"), rpc.CodeOK},
	} {
		for _, reset := range []transport.ResetCode{transport.ResetCancel, transport.ResetRefused, transport.ResetInternal, 256 + 5} {
			t.Run(c.name+" and "+reset.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					client := rpc.NewClient("ws://in.memory")
					p := callRaw(t, client)
					s, err := client.Open(t.Context(), bidi)
					if err != nil {
						t.Fatal(err)
					}
					defer s.Close()
					id, _ := p.wantOpen()
					p.write(dataFrame(id, 0, encoded(t, "a")), dataFrame(id, 0, encoded(t, "b")), c.end(id), resetFrame(id, reset, "early"))
					synctest.Wait()
					wantEarlyEnd(t, s.Send(text("more")), c.code, rpc.ErrFinished)
					got, err := recvAll(s)
					if !slices.Equal(got, c.want) {
						t.Errorf("received %q, want %q", got, c.want)
					}
					wantEarlyEnd(t, err, c.code, nil)
				})
			})
		}
	}
}

// wantEarlyEnd checks for a status, or for OK.
func wantEarlyEnd(t *testing.T, err error, code rpc.Code, ok error) {
	t.Helper()
	if code != rpc.CodeOK {
		wantError(t, err, code)
	} else if !errors.Is(err, ok) {
		t.Errorf("got %v, want %v", err, ok)
	}
}
