package transport_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// A request to resume takes requestHead bytes of a script, and those of its mask:
//
//	what 1 | attempt 1 | received 1 | length of the mask 1 | mask
const requestHead = 4

// The first byte of a request describes its faults.
const (
	requestOfAnother = 1 << iota // the principal is another
	requestOfUnknown             // the session does not exist
	requestOldToken              // the token before the current one
	requestMaskID                // the mask is on the session id,
	requestMaskToken             // on the token
	requestCut                   // bytes are missing at the end of the masked value
	requestCountOff              // received is wrong by this much
	requestProve                 // a resumption is acknowledged at once
)

// request is an attempt to resume.
type resumeRequest struct {
	what              byte
	attempt, received byte
	mask              []byte
}

func parseRequests(s []byte) (requests []resumeRequest) {
	for len(s) >= requestHead && len(requests) < 20 {
		n := min(int(s[3]), len(s)-requestHead)
		requests = append(requests, resumeRequest{s[0], s[1], s[2], s[requestHead : requestHead+n]})
		s = s[requestHead+n:]
	}
	return requests
}

// masked returns a secret after a request's changes.
func (w *resumeRequest) masked(secret []byte) []byte {
	secret = bytes.Clone(secret)
	for i, b := range w.mask {
		if i == len(secret) && len(secret) < 2*frame.MaxSessionLen {
			secret = append(secret, 0) // too long
		}
		if i < len(secret) {
			secret[i] ^= b
		}
	}
	if w.what&requestCut != 0 {
		secret = secret[:max(0, len(secret)-len(w.mask))]
	}
	return secret
}

// resumingDialer is what the dialer of a session knows: the model of which
// requests must succeed.
type resumingDialer struct {
	*acceptorHost
	*dialer
	st        *transport.Stream
	link      *peer
	prevToken []byte // the token before the current one, while the latter is not confirmed
	old       []byte // the token before the current one
	attempts  uint64 // the highest granted one
	said      uint64 // messages of the acceptor
	written   uint64 // those that have been on a link
	acked     uint64
}

// FuzzResumeToken asks an acceptor to resume a detached session, in all kinds
// of ways. Only the exact id and a valid token, of the same principal and with
// a newer attempt, resume it. Everything else gets the right answer and does
// not affect the session: in the end it is resumed and has lost nothing.
func FuzzResumeToken(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{requestProve, 0, 0, 0})                                                          // a valid request
	f.Add([]byte{0, 0, 0, 0, requestOldToken, 0, 0, 0, requestOldToken, 0, 0, 0})                 // the previous token, and again once it is void
	f.Add([]byte{requestProve, 0, 1, 0, requestOldToken, 0, 0, 0})                                // a void one
	f.Add([]byte{requestOfAnother, 0, 0, 0, requestOfUnknown, 0, 0, 0})                           // stolen
	f.Add([]byte{requestMaskToken, 0, 0, 1, 1, requestMaskID, 0, 0, 1, 0x80, 1, 0, 0, 0})         // guessed
	f.Add([]byte{requestMaskToken | requestCut, 0, 0, 1, 0, requestMaskID | requestCut, 0, 0, 1}) // too short
	f.Add(append([]byte{requestMaskID, 0, 0, 49}, make([]byte, 49)...))                           // too long
	f.Add([]byte{0, 5, 0, 0, 0, 0x80, 0, 0})                                                      // an attempt from before
	f.Add([]byte{requestCountOff, 0, 1, 0, 0, 0, 0, 0})                                           // an invalid count
	f.Fuzz(func(t *testing.T, script []byte) {
		synctest.Test(t, func(t *testing.T) { runRequests(t, parseRequests(script)) })
	})
}

func runRequests(t *testing.T, requests []resumeRequest) {
	h := newAcceptorHost(t)
	d, st := h.dial()
	r := &resumingDialer{acceptorHost: h, dialer: d, st: st, link: d.peer}
	other, kept := h.dial() // a session of another principal
	for _, w := range requests {
		r.lose()
		if r.ask(w); t.Failed() || r.session.Err() != nil {
			break
		}
	}
	if r.session.Err() == nil && !t.Failed() {
		r.lose()
		r.ask(resumeRequest{received: 0xff})
		r.wantsStream(r.link, st)
	}
	if !t.Failed() {
		other.wantsStream(other.peer, kept)
	}
}

// lose loses the link, if there is one, between a written message and one that
// must wait.
func (r *resumingDialer) lose() {
	if r.session.Detached() {
		return
	}
	r.say()
	synctest.Wait()
	r.written = r.said
	r.link.link.Cut()
	synctest.Wait()
	if !r.session.Detached() {
		r.acceptorHost.t.Errorf("the session is not away: %v", r.session.Err())
	}
	r.say()
}

// message returns the acceptor's i-th message.
func message(i uint64) string { return fmt.Sprint("message ", i) }

func (r *resumingDialer) say() {
	r.said++
	mustSend(r.acceptorHost.t, r.st, message(r.said))
}

// ask makes a request, and checks the answer.
func (r *resumingDialer) ask(w resumeRequest) {
	t := r.acceptorHost.t
	principal := "alice"
	switch {
	case w.what&requestOfUnknown != 0:
		principal = ""
	case w.what&requestOfAnother != 0:
		principal = "mallory"
	}
	token, id := r.token, r.id
	if w.what&requestOldToken != 0 && r.old != nil {
		token = r.old
	}
	honored := bytes.Equal(token, r.token) || r.prevToken != nil && bytes.Equal(token, r.prevToken)
	presented, named := token, id
	if w.what&requestMaskToken != 0 {
		presented = w.masked(token)
	}
	if w.what&requestMaskID != 0 {
		named = w.masked(id)
	}
	exact := honored && bytes.Equal(presented, token) && bytes.Equal(named, id) && principal == "alice"
	attempt := r.attempts + 1 + uint64(w.attempt&0x7f)
	if w.attempt&0x80 != 0 {
		attempt = uint64(w.attempt & 0x7f) // small, so it may be an old one
	}
	received := r.acked + min(uint64(w.received), r.written-r.acked)
	if w.what&requestCountOff != 0 {
		received = r.written + 1 + uint64(w.received)
	}

	request := frame.Hello{ResumeWindow: 30_000, Session: named, Token: presented, Received: received, Attempt: attempt}
	before := time.Now()
	_, p := r.acceptorHost.link(principal, request.Append(nil))
	switch wellFormed := len(named) >= frame.MinSessionLen && len(named) <= frame.MaxSessionLen && len(presented) == frame.TokenLen; {
	case !wellFormed:
		p.wantsClose(transport.CloseProtocolError)
	case !exact:
		r.dialer.wantsNewSession(p)
		if bytes.Equal(p.peerHello().Token, r.token) {
			t.Error("the token was given away")
		}
	case attempt <= r.attempts:
		p.wantsClose(superseded)
	case received > r.written:
		p.wantsClose(transport.CloseProtocolError)
		wantCode(t, r.session.Err(), transport.CloseProtocolError)
		return
	default:
		r.granted(w, p, token, attempt, received)
		return
	}
	if !r.session.Detached() || r.session.Err() != nil {
		t.Errorf("a request that was not granted has changed the session: %+v, %v", w, r.session.Err())
	}
	if took := time.Since(before); took != 0 {
		t.Errorf("it took %v", took)
	}
}

// granted checks that the session is resumed on p, with everything that has not
// arrived.
func (r *resumingDialer) granted(w resumeRequest, p *peer, token []byte, attempt, received uint64) {
	next := r.wantsResumed(p)
	want := []string{"HELLO resumed 1"}
	for i := received + 1; i <= r.said; i++ {
		want = append(want, fmt.Sprintf("DATA 1 %q", message(i)))
	}
	if got := p.got(); !slices.Equal(got, want) {
		r.acceptorHost.t.Errorf("got %q, want %q", got, want)
	}
	r.link, r.attempts, r.acked, r.written = p, attempt, received, r.said
	r.prevToken, r.old, r.token = token, token, next
	if w.what&requestProve != 0 {
		p.send(frame.AppendAck(nil, received))
		synctest.Wait()
		r.prevToken = nil
	}
}
