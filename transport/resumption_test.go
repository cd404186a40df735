package transport

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

func TestPreviousTokenIsValidUntilTheNextIsConfirmed(t *testing.T) {
	r := resumption{window: time.Second}
	if err := r.start(Acceptor, &frame.Hello{}, new(Sessions).newID); err != nil {
		t.Fatal(err)
	}
	first := r.token
	r.rotate(first)
	if bytes.Equal(r.token, first) || !r.admits(first) || !r.admits(r.token) {
		t.Error("after rotate both tokens must be valid, and differ")
	}
	r.confirm()
	if r.admits(first) || r.admits(nil) || !r.admits(r.token) {
		t.Error("after confirm only the new token is valid")
	}
}

func TestOlderAttemptIsSuperseded(t *testing.T) {
	r := resumption{token: []byte("token"), attempt: 3}
	if ok, err := r.check(&frame.Hello{Token: r.token, Attempt: 3}); ok || !errors.Is(err, errSuperseded) {
		t.Errorf("the same attempt: %v, %v", ok, err)
	}
	if ok, err := r.check(&frame.Hello{Token: []byte("other"), Attempt: 3}); ok || err != nil {
		t.Errorf("another token: %v, %v", ok, err)
	}
	if ok, err := r.check(&frame.Hello{Token: r.token, Attempt: 4}); !ok || err != nil {
		t.Errorf("the next attempt: %v, %v", ok, err)
	}
	for attempt, want := range map[uint64]bool{0: true, 3: false, 4: true} {
		if got := r.replacedBy(Predecessor{Token: r.token, Attempt: attempt}); got != want {
			t.Errorf("replaced by attempt %d: %v", attempt, got)
		}
	}
}

func TestDialerLearnsItsIDFromHello(t *testing.T) {
	r := resumption{window: time.Second}
	if err := r.start(Dialer, &frame.Hello{}, new(Sessions).newID); err == nil {
		t.Error("a HELLO without a session was taken")
	}
	if err := r.start(Dialer, &frame.Hello{Session: []byte("id"), Token: []byte("token")}, new(Sessions).newID); err != nil {
		t.Fatal(err)
	}
	var h frame.Hello
	if r.fill(&h, 5); string(h.Session) != "id" || string(h.Token) != "token" || h.Received != 5 {
		t.Errorf("%+v", h)
	}
	r.window, h = 0, frame.Hello{}
	if r.fill(&h, 5); h.Session != nil || h.Received != 0 {
		t.Errorf("a session that cannot be resumed says %+v", h)
	}
}
