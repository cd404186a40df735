package conformance

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// resume makes another link that resumes the session, in either role, and sends
// again what the implementation has not received. "> resume close=CODE" ends
// the link before by that code, or by a close frame without a code (close=).
func (p *play) resume(l *line) error {
	if code, ok := l.get("close"); ok {
		if err := p.sendClose(&line{words: []string{code}}); err != nil {
			return err
		}
	}
	link := &line{}
	for _, a := range l.args {
		if a.key == "within" {
			link.args = append(link.args, a)
		}
	}
	if err := p.newLink(link); err != nil {
		return err
	}
	if p.c.Role == Acceptor {
		return p.resumeAsDialer()
	}
	return p.resumeAsAcceptor()
}

func (p *play) resumeAsDialer() error {
	p.attempts++
	hello := &line{words: []string{"resume"}, args: []arg{{"attempt", fmt.Sprint(p.attempts)}}}
	b, err := p.hello(hello)
	if err != nil {
		return err
	}
	if err := p.writeHello(b); err != nil {
		return err
	}
	if err := p.expectOfLink(&line{verb: "hello", args: []arg{{"resumed", "1"}, {"token", "*"}}}, stepTime); err != nil {
		return err
	}
	p.session.mu.Lock()
	ack := frame{kind: typeAck, payload: appendVarint(nil, p.session.received)}
	p.session.mu.Unlock()
	if err := p.write(ack.append(nil)); err != nil {
		return err
	}
	return p.resend()
}

func (p *play) resumeAsAcceptor() error {
	p.session.mu.Lock()
	want := p.session.identity
	p.session.mu.Unlock()
	asks := &line{verb: "hello", args: []arg{{"session", want[0]}, {"token", want[1]}, {"attempt>", "1"}}}
	if err := p.expectOfLink(asks, stepTime); err != nil {
		return err
	}
	p.link().spoken = true
	b, err := p.hello(&line{words: []string{"resumed"}})
	if err != nil {
		return err
	}
	if err := p.writeHello(b); err != nil {
		return err
	}
	return p.resend()
}

// sendWebSocket sends what is no ordinary binary message: "> fragments HEX" one
// in two fragments, "> broken bits" a frame with reserved bits, "> broken mask"
// one with a mask that is wrong for its sender, "> broken ping" a WebSocket
// ping, which is allowed.
func (p *play) sendWebSocket(l *line) error {
	link := p.link()
	if l.verb == "fragments" {
		payload, err := hex.DecodeString(l.word(0))
		if err != nil {
			return err
		}
		return link.write(link.fragments(payload))
	}
	ping := frame{kind: typePing, payload: make([]byte, 8)}
	switch l.word(0) {
	case "bits":
		b := link.encode(opBinary, ping.append(nil))
		b[0] |= 0x40
		return link.write(b)
	case "mask":
		return link.write(link.unmasked(ping.append(nil)))
	case "ping":
		return link.write(link.encode(opPing, []byte("hello")))
	}
	return fmt.Errorf("unknown kind %q", l.word(0))
}

// expectCredential checks that the last handshake of a dialer has a credential,
// as a header or as a subprotocol (section 3.3).
func (p *play) expectCredential(want string) error {
	if p.request.Header.Get("Authorization") == "Bearer "+want {
		return nil
	}
	name := "parley.bearer." + base64.RawURLEncoding.EncodeToString([]byte(want))
	return p.expectHandshake(&line{words: []string{name}})
}
