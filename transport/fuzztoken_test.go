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

// A wish to resume takes wishHead bytes of a script, and those of its mask:
//
//	what 1 | attempt 1 | received 1 | length of the mask 1 | mask
const wishHead = 4

// The first byte of a wish says what is wrong with it.
const (
	wishOfAnother = 1 << iota // the principal is another
	wishOfNobody              // there is none
	wishOldToken              // the token before the current one
	wishMaskID                // the mask is on the session id,
	wishMaskToken             // on the token
	wishCut                   // bytes are missing at the end of what the mask is on
	wishCountOff              // received is off by so many, not within what can be
	wishProve                 // what is granted is acknowledged at once
)

// wish is an attempt to resume.
type wish struct {
	what              byte
	attempt, received byte
	mask              []byte
}

func cutWishes(s []byte) (wishes []wish) {
	for len(s) >= wishHead && len(wishes) < 20 {
		n := min(int(s[3]), len(s)-wishHead)
		wishes = append(wishes, wish{s[0], s[1], s[2], s[wishHead : wishHead+n]})
		s = s[wishHead+n:]
	}
	return wishes
}

// masked is a secret with what a wish does to it.
func (w *wish) masked(secret []byte) []byte {
	secret = bytes.Clone(secret)
	for i, b := range w.mask {
		if i == len(secret) && len(secret) < 2*frame.MaxSessionLen {
			secret = append(secret, 0) // longer than it was
		}
		if i < len(secret) {
			secret[i] ^= b
		}
	}
	if w.what&wishCut != 0 {
		secret = secret[:max(0, len(secret)-len(w.mask))]
	}
	return secret
}

// rightful is what the rightful dialer of a session knows: the model of what must be
// granted.
type rightful struct {
	*harbor
	*dialer
	st       *transport.Stream
	link     *peer
	spare    []byte // the token before the current one, while that is not proven
	old      []byte // the token before the current one
	attempts uint64 // the highest that was granted
	said     uint64 // messages of the acceptor
	written  uint64 // those that have been on a link
	acked    uint64
}

// FuzzResumeToken asks an acceptor to resume a session that is away, in all kinds of
// ways. Only the exact id and an honoured token, of the same principal and with a
// newer attempt, resume it; everything else gets the answer that fits and leaves the
// session as it was: in the end it goes on and has lost nothing.
func FuzzResumeToken(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{wishProve, 0, 0, 0})                                                 // as it should be
	f.Add([]byte{0, 0, 0, 0, wishOldToken, 0, 0, 0, wishOldToken, 0, 0, 0})           // the spare one, and once it is void
	f.Add([]byte{wishProve, 0, 1, 0, wishOldToken, 0, 0, 0})                          // a void one
	f.Add([]byte{wishOfAnother, 0, 0, 0, wishOfNobody, 0, 0, 0})                      // stolen
	f.Add([]byte{wishMaskToken, 0, 0, 1, 1, wishMaskID, 0, 0, 1, 0x80, 1, 0, 0, 0})   // guessed
	f.Add([]byte{wishMaskToken | wishCut, 0, 0, 1, 0, wishMaskID | wishCut, 0, 0, 1}) // too short
	f.Add(append([]byte{wishMaskID, 0, 0, 49}, make([]byte, 49)...))                  // too long
	f.Add([]byte{0, 5, 0, 0, 0, 0x80, 0, 0})                                          // an attempt from before
	f.Add([]byte{wishCountOff, 0, 1, 0, 0, 0, 0, 0})                                  // a count that cannot be
	f.Fuzz(func(t *testing.T, script []byte) {
		synctest.Test(t, func(t *testing.T) { runWishes(t, cutWishes(script)) })
	})
}

func runWishes(t *testing.T, wishes []wish) {
	h := newHarbor(t)
	d, st := h.begin()
	r := &rightful{harbor: h, dialer: d, st: st, link: d.peer}
	other, kept := h.begin() // a session of another principal
	for _, w := range wishes {
		r.lose()
		if r.ask(w); t.Failed() || r.session.Err() != nil {
			break
		}
	}
	if r.session.Err() == nil && !t.Failed() {
		r.lose()
		r.ask(wish{received: 0xff})
		r.wantsStream(r.link, st)
	}
	if !t.Failed() {
		other.wantsStream(other.peer, kept)
	}
}

// lose has the link lost, if it is there: behind a message that has been written, and
// before one that has to wait.
func (r *rightful) lose() {
	if r.session.Detached() {
		return
	}
	r.say()
	synctest.Wait()
	r.written = r.said
	r.link.link.Cut()
	synctest.Wait()
	if !r.session.Detached() {
		r.harbor.t.Errorf("the session is not away: %v", r.session.Err())
	}
	r.say()
}

// message is the acceptor's i-th.
func message(i uint64) string { return fmt.Sprint("message ", i) }

func (r *rightful) say() {
	r.said++
	mustSend(r.harbor.t, r.st, message(r.said))
}

// ask makes a wish, and checks that it gets what it deserves.
func (r *rightful) ask(w wish) {
	t := r.harbor.t
	principal := "alice"
	switch {
	case w.what&wishOfNobody != 0:
		principal = ""
	case w.what&wishOfAnother != 0:
		principal = "mallory"
	}
	token, id := r.token, r.id
	if w.what&wishOldToken != 0 && r.old != nil {
		token = r.old
	}
	honoured := bytes.Equal(token, r.token) || r.spare != nil && bytes.Equal(token, r.spare)
	presented, named := token, id
	if w.what&wishMaskToken != 0 {
		presented = w.masked(token)
	}
	if w.what&wishMaskID != 0 {
		named = w.masked(id)
	}
	exact := honoured && bytes.Equal(presented, token) && bytes.Equal(named, id) && principal == "alice"
	attempt := r.attempts + 1 + uint64(w.attempt&0x7f)
	if w.attempt&0x80 != 0 {
		attempt = uint64(w.attempt & 0x7f) // small: from before, perhaps
	}
	received := r.acked + min(uint64(w.received), r.written-r.acked)
	if w.what&wishCountOff != 0 {
		received = r.written + 1 + uint64(w.received)
	}

	wish := frame.Hello{ResumeWindow: 30_000, Session: named, Token: presented, Received: received, Attempt: attempt}
	before := time.Now()
	_, p := r.harbor.link(principal, wish.Append(nil))
	switch wellFormed := len(named) >= frame.MinSessionLen && len(named) <= frame.MaxSessionLen && len(presented) == frame.TokenLen; {
	case !wellFormed:
		p.wantsClose(transport.CloseProtocolError)
	case !exact:
		r.dialer.wantsNewSession(p)
		if bytes.Equal(p.greeting().Token, r.token) {
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
		t.Errorf("a wish that was not granted has changed the session: %+v, %v", w, r.session.Err())
	}
	if took := time.Since(before); took != 0 {
		t.Errorf("it took %v", took)
	}
}

// granted checks that the session goes on, with all that has not arrived, on p.
func (r *rightful) granted(w wish, p *peer, token []byte, attempt, received uint64) {
	next := r.wantsGrant(p)
	want := []string{"HELLO resumed 1"}
	for i := received + 1; i <= r.said; i++ {
		want = append(want, fmt.Sprintf("DATA 1 %q", message(i)))
	}
	if got := p.got(); !slices.Equal(got, want) {
		r.harbor.t.Errorf("got %q, want %q", got, want)
	}
	r.link, r.attempts, r.acked, r.written = p, attempt, received, r.said
	r.spare, r.old, r.token = token, token, next
	if w.what&wishProve != 0 {
		p.send(frame.AppendAck(nil, received))
		synctest.Wait()
		r.spare = nil
	}
}
