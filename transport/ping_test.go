package transport

import "testing"

func TestAnswerEndsTheWaitForEarlierPings(t *testing.T) {
	var p pings
	_ = p.next()
	_, first := p.wait()
	second := p.next()
	_, secondAnswered := p.wait()
	_ = p.next()
	number, third := p.wait()
	p.answer(second)
	<-first
	<-secondAnswered
	select {
	case <-third:
		t.Error("a later PING counts as answered")
	default:
	}
	if len(p.waiting) != 1 || p.waiting[number] == nil {
		t.Errorf("waits that are left: %v", p.waiting)
	}
}
