package transport_test

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// FuzzReplaced starts sessions that name another one, in all kinds of ways.
// Only the exact id and token, of the same principal, end it. Everything else
// gets the same answer, or is malformed, and does not affect it.
func FuzzReplaced(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{requestOfAnother, 0, 0, 0, requestOfUnknown, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{requestMaskToken, 0, 0, 1, 1, requestMaskID, 0, 0, 1, 0x80, 0, 0, 0, 0})
	f.Add([]byte{requestMaskToken | requestCut, 0, 0, 1, 0, requestMaskID | requestCut, 0, 0, 1, 0})
	f.Add(append([]byte{requestMaskID, 0, 0, 49}, make([]byte, 49)...))
	f.Fuzz(func(t *testing.T, script []byte) {
		synctest.Test(t, func(t *testing.T) { runReplacements(t, parseRequests(script)) })
	})
}

func runReplacements(t *testing.T, requests []resumeRequest) {
	h := newAcceptorHost(t)
	d, st := h.dial()
	for _, w := range requests {
		id, token := d.id, d.token
		if w.what&requestMaskID != 0 {
			id = w.masked(id)
		}
		if w.what&requestMaskToken != 0 {
			token = w.masked(token)
		}
		principal := "alice"
		switch {
		case w.what&requestOfAnother != 0:
			principal = "mallory"
		case w.what&requestOfUnknown != 0:
			principal = ""
		}
		hello := frame.Hello{ResumeWindow: 30_000, Replaces: id, ReplacesToken: token}
		s, p := h.link(principal, hello.Append(nil))
		if len(id) < frame.MinSessionLen || len(id) > frame.MaxSessionLen || len(token) != frame.TokenLen {
			p.wantsClose(malformed)
			continue
		}
		if p.wants("HELLO"); s.Err() != nil {
			t.Fatalf("the new session ended with %v", s.Err())
		}
		if principal == "alice" && bytes.Equal(id, d.id) && bytes.Equal(token, d.token) {
			wantCode(t, d.session.Err(), transport.CloseAbnormal)
			return
		}
	}
	d.wantsStream(d.peer, st)
}
