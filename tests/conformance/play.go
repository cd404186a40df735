package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	conformancev1 "github.com/parley-rpc/parley/tests/conformance/gen/conformance/v1"
)

// stepTime is how long a step waits for what it expects, if the step does not
// say so by within=.
const stepTime = 8 * time.Second

// play is one case in progress.
type play struct {
	ctx      context.Context
	c        *Case
	driver   *driver
	endpoint uint64
	session  *session
	mute     atomic.Bool

	host     string       // of the acceptor under test
	listener net.Listener // where the dialer under test dials
	links    []*link
	answer   *dialed       // to the last handshake that the runner has made
	request  *http.Request // the last handshake of the dialer under test
	pending  []byte        // the link message that + continues
	served   []arg         // how the last handshake of the dialer was answered
	attempts int           // to resume, of the runner
	partial  int           // how many bytes of the next one are written before the link is cut; -1: all
}

// run plays a case. The error says which step failed, and why.
func (c *Case) run(ctx context.Context, d *driver) (err error) {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	p := &play{ctx: ctx, c: c, driver: d, endpoint: d.newEndpoint(), session: newSession(c.Role == Acceptor), partial: -1}
	defer p.close()
	if err := p.start(); err != nil {
		return err
	}
	for i, s := range c.steps {
		if err := p.step(i, &s); err != nil {
			return fmt.Errorf("line %d, %q: %w", s.number, abbreviated(s.text), err)
		}
	}
	return p.finish()
}

// start makes the endpoint under test.
func (p *play) start() error {
	settings, err := p.c.helloSettings()
	if err != nil {
		return err
	}
	if p.c.Role == Dialer {
		if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return err
		}
		url := fmt.Sprintf("ws://%s/rpc", p.listener.Addr())
		connect := &conformancev1.Connect{Url: url, Settings: settings, Bearer: p.c.bearer}
		return p.driver.ask(p.endpoint, &conformancev1.Request{Do: &conformancev1.Request_Connect{Connect: connect}})
	}
	err = p.driver.ask(p.endpoint, &conformancev1.Request{Do: &conformancev1.Request_Listen{Listen: &conformancev1.Listen{Settings: settings}}})
	if err != nil {
		return err
	}
	r, err := p.report(stepTime, "Listening", func(r *conformancev1.Report) bool { return r.GetListening() != nil })
	if err != nil {
		return err
	}
	p.host = strings.TrimSuffix(strings.TrimPrefix(r.GetListening().GetUrl(), "ws://"), "/rpc")
	return nil
}

// helloSettings returns the settings of the implementation's HELLO: the
// defaults of the protocol, and what the case says. So limits are the same for
// all implementations.
func (c *Case) helloSettings() (*conformancev1.Settings, error) {
	s := &conformancev1.Settings{
		MaxFrame: 16_384, MaxMessage: 65_536, MaxHeader: 4_096, MaxStreams: 16, InitialWindow: 16_384, Keepalive: 25_000, ReplayLimit: 65_536,
	}
	fields := map[string]*uint64{
		"max_frame": &s.MaxFrame, "max_message": &s.MaxMessage, "max_header": &s.MaxHeader, "max_streams": &s.MaxStreams,
		"initial_window": &s.InitialWindow, "keepalive": &s.Keepalive, "resume_window": &s.ResumeWindow, "replay_limit": &s.ReplayLimit,
	}
	for _, a := range c.settings {
		n, err := number(a.value)
		if err != nil || fields[a.key] == nil {
			return nil, fmt.Errorf("settings %s=%s: there is no such setting, or the value is no number", a.key, a.value)
		}
		*fields[a.key] = n
	}
	return s, nil
}

// report waits for a report of the endpoint.
func (p *play) report(within time.Duration, what string, fits func(*conformancev1.Report) bool) (*conformancev1.Report, error) {
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	r, err := p.driver.await(ctx, p.endpoint, func(r *conformancev1.Report) bool { return fits(r) || r.GetFailure() != "" })
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("no report %s came within %v", what, within)
	case err != nil:
		return nil, err
	case r.GetFailure() != "":
		return nil, fmt.Errorf("the program under test cannot do that: %s", r.GetFailure())
	}
	return r, nil
}

// step runs one line.
func (p *play) step(i int, l *line) error {
	if err := p.fault(); err != nil {
		return err
	}
	if l.verb == "resume" {
		return p.resume(l)
	}
	if l.has("old") && l.verb != "close" {
		defer p.useOld()()
	}
	if l.verb == "link" || l.verb == "request" || l.verb == "serve" {
		return p.newLink(l)
	}
	if len(p.links) == 0 && (l.mark == ">" || l.mark == "<") && l.verb != "http" && l.verb != "handshake" && l.verb != "no-request" {
		if err := p.newLink(&line{}); err != nil {
			return err
		}
	}
	switch l.mark {
	case ">", "+":
		return p.send(l, p.continues(i))
	case "<":
		return p.expect(l)
	case "!":
		return p.tell(l)
	}
	return p.expectReport(l)
}

// continues reports whether the next step adds to the same link message.
func (p *play) continues(i int) bool {
	return i+1 < len(p.c.steps) && p.c.steps[i+1].mark == "+"
}

// fault returns the first rule that the implementation has broken.
func (p *play) fault() error {
	p.session.mu.Lock()
	defer p.session.mu.Unlock()
	if p.session.fault != nil {
		return fmt.Errorf("the implementation has sent %w", p.session.fault)
	}
	return nil
}

// newLink makes a link, or only a handshake that fails: "request" is one of the
// runner, "serve" answers one of the implementation.
func (p *play) newLink(l *line) error {
	if p.c.Role == Acceptor {
		d, err := dial(p.host, l.args)
		if err != nil {
			return err
		}
		p.answer = d
		if d.socket == nil && l.verb != "request" {
			return fmt.Errorf("the handshake is answered with %d, want 101", d.status)
		}
		if d.socket != nil {
			p.links = append(p.links, startLink(d.socket, len(p.links)+1, p.session, &p.mute))
		}
		return nil
	}
	if l.has("session") {
		p.session = newSession(p.c.Role == Acceptor)
	}
	within, err := l.within(stepTime)
	if err != nil {
		return err
	}
	if err := p.listener.(*net.TCPListener).SetDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	var req *http.Request
	var s *socket
	for err = errNoHandshake; errors.Is(err, errNoHandshake); {
		conn, acceptErr := p.listener.Accept()
		if acceptErr != nil {
			return fmt.Errorf("the implementation does not dial within %v: %w", within, acceptErr)
		}
		req, s, err = accept(conn, l.args)
	}
	if err != nil {
		return err
	}
	p.served = l.args
	if l.has("always") {
		go p.serveAlways(l.args)
	}
	p.request = req
	if s != nil {
		p.links = append(p.links, startLink(s, len(p.links)+1, p.session, &p.mute))
		p.link().closing.Store(slices.ContainsFunc(l.args, func(a arg) bool { return a.key == "close" }))
	}
	return nil
}

// serveAlways answers all further handshakes of the implementation in the same
// way, until the case ends.
func (p *play) serveAlways(args []arg) {
	for {
		if err := p.listener.(*net.TCPListener).SetDeadline(time.Time{}); err != nil {
			return
		}
		conn, err := p.listener.Accept()
		if err != nil {
			return // the case is over
		}
		if _, s, err := accept(conn, args); err == nil && s != nil {
			defer s.cut()
			go func() {
				for err == nil {
					_, err = s.read()
				}
				s.cut()
			}()
		}
	}
}

func (l *line) within(other time.Duration) (time.Duration, error) {
	text, ok := l.get("within")
	if !ok {
		return other, nil
	}
	return time.ParseDuration(text)
}

func (p *play) link() *link {
	if len(p.links) == 0 {
		return nil
	}
	return p.links[len(p.links)-1]
}

// useOld makes the session before the newest one the current one, until the
// function that it returns is called.
func (p *play) useOld() (back func()) {
	session, links := p.session, p.links
	for i, l := range slices.Backward(links) {
		if l.session != session {
			p.session, p.links = l.session, links[:i+1]
			break
		}
	}
	return func() { p.session, p.links = session, links }
}

// finish checks that nothing has happened that no step has expected.
func (p *play) finish() error {
	if l := p.link(); l != nil && !l.closing.Load() && !l.wasCut() && !p.mute.Load() && l.helloed.Load() {
		ended := false
		p.session.mu.Lock()
		for _, e := range p.session.events {
			ended = ended || e.kind == "close" || e.kind == "cut"
		}
		p.session.mu.Unlock()
		if !ended {
			if err := p.alive(); err != nil && !p.c.lenient {
				return fmt.Errorf("at the end of the case: %w", err)
			}
		}
	}
	if err := p.fault(); err != nil {
		return err
	}
	if list := p.session.unexpected(len(p.links)); len(list) > 0 && !p.c.lenient {
		return fmt.Errorf("the implementation has done what the case does not expect: %s", strings.Join(list, "; "))
	}
	return nil
}

// alive proves that the implementation still works: it answers PING. What it
// sent before has arrived then, except for data that waits.
func (p *play) alive() error {
	ping := frame{kind: typePing, payload: []byte("alive?!!")}
	if err := p.write(ping.append(nil)); err != nil {
		return err
	}
	_, err := p.await(stepTime, "PONG", func(e *event) bool { return e.kind == "pong" && bytes.Equal(e.raw, ping.payload) })
	return err
}

// close ends the endpoint and frees what the case holds.
func (p *play) close() {
	_ = p.driver.ask(p.endpoint, &conformancev1.Request{Do: &conformancev1.Request_Close{Close: &conformancev1.Close{}}}) // it may have ended
	for _, l := range p.links {
		l.cut()
		<-l.done
	}
	if p.listener != nil {
		_ = p.listener.Close() // it only has to be free
	}
}
