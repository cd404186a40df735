package conformance

import (
	"net"
	"testing"
)

func TestAConnectionThatEndsWithoutAHandshakeIsNotTheDial(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	host := listener.Addr().String()
	spare, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	_ = spare.Close()
	answers := make(chan *dialed, 1)
	go func() {
		d, err := dial(host, nil)
		if err != nil {
			t.Error(err)
		}
		answers <- d
	}()
	p := &play{c: &Case{Role: Dialer}, session: newSession(false), listener: listener}
	if err := p.newLink(&line{}); err != nil {
		t.Error(err)
	}
	for _, l := range p.links {
		l.cut()
		<-l.done
	}
	if d := <-answers; d != nil {
		d.socket.cut()
	}
	if len(p.links) != 1 {
		t.Errorf("there are %d links", len(p.links))
	}
}
