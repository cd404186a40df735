package conformance

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// expect runs a step "< verb": the implementation does something.
func (p *play) expect(l *line) error {
	within, err := l.within(stepTime)
	if err != nil {
		return err
	}
	step := *l
	step.args = slices.DeleteFunc(slices.Clone(l.args), func(a arg) bool { return a.key == "within" })
	switch l.verb {
	case "alive":
		return p.alive()
	case "nothing":
		return p.expectNothing(&step, within)
	case "no-request":
		return p.expectNoRequest(within)
	case "http":
		return p.expectHTTP(&step)
	case "handshake":
		return p.expectHandshake(&step)
	case "credential":
		return p.expectCredential(l.word(0))
	case "ack", "window":
		return p.expectCount(&step, within)
	case "hello", "ping", "pong", "goaway", "close", "cut", "lost", "end-of-link":
		return p.expectOfLink(&step, within)
	}
	return p.expectOfStream(&step, within)
}

// await returns the first event that fits, and removes it. It fails early if
// the link ends, unless that is what fits.
func (p *play) await(within time.Duration, what string, fits func(*event) bool) (*event, error) {
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	s := p.session
	for {
		s.mu.Lock()
		changed, fault := s.changed, s.fault
		var ended *event
		for i, e := range s.events {
			if fits(e) {
				s.events = slices.Delete(s.events, i, i+1)
				s.mu.Unlock()
				return e, nil
			}
			if (e.kind == "close" || e.kind == "cut") && e.link == len(p.links) {
				ended = e
			}
		}
		s.mu.Unlock()
		switch {
		case fault != nil:
			return nil, fmt.Errorf("while the case waits for %s, the implementation has sent %w", what, fault)
		case ended != nil:
			return nil, fmt.Errorf("want %s, but the link has ended: %v", what, ended)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("no %s came within %v%s", what, within, s.seen())
		}
	}
}

// seen describes the events that wait, for a failure.
func (s *session) seen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, e := range s.events {
		list = append(list, e.String())
	}
	if len(list) == 0 {
		return ""
	}
	return ", only " + strings.Join(list, "; ")
}

func (p *play) expectOfLink(l *line, within time.Duration) error {
	link := len(p.links)
	if l.has("old") && l.verb == "close" {
		link--
	}
	kinds := []string{l.verb}
	if l.verb == "end-of-link" || l.verb == "lost" {
		kinds = []string{"close", "cut"}
	}
	e, err := p.await(within, strings.ToUpper(l.verb), func(e *event) bool { return slices.Contains(kinds, e.kind) && e.link == link })
	if err != nil {
		return err
	}
	if l.verb == "hello" && p.c.Role == Dialer {
		p.link().spoken = true // it may speak
	}
	switch l.verb {
	case "hello", "goaway":
		return e.block.matches(l)
	case "lost":
		if e.kind == "close" && e.code != 1005 {
			return fmt.Errorf("the link is closed with %d %q, want an end without a code", e.code, e.reason)
		}
	case "close":
		if !slices.Contains(strings.Split(l.word(0), "|"), fmt.Sprint(e.code)) {
			return fmt.Errorf("the link is closed with %d %q, want %s", e.code, e.reason, l.word(0))
		}
	case "pong":
		if w := l.word(0); w != "" && hex.EncodeToString(e.raw) != w {
			return fmt.Errorf("PONG has %x, want %s", e.raw, w)
		}
	}
	return nil
}

// expectOfStream takes the next event of a stream, which must be the one that
// the step names.
func (p *play) expectOfStream(l *line, within time.Duration) error {
	id, err := streamID(l.word(0), p.session.runnerDials)
	if err != nil {
		return err
	}
	e, err := p.await(within, fmt.Sprintf("%s of stream %d", l.verb, id), func(e *event) bool {
		// A HEADER may come where a case does not expect one, if it says nothing but the encoding.
		return e.stream == id && (l.verb == "header" || e.kind != "header" || !e.block.isPlain())
	})
	if err != nil {
		return err
	}
	if e.kind != l.verb && (l.verb != "reset" || e.kind != "stop") {
		return fmt.Errorf("want %s of stream %d, got %v", l.verb, id, e)
	}
	switch l.verb {
	case "open":
		return p.matchesOpen(e, l)
	case "header", "end":
		return e.block.matches(l)
	case "reset":
		if w := l.word(1); w != "" && !slices.Contains(strings.Split(w, "|"), fmt.Sprint(e.code)) {
			return fmt.Errorf("RESET has the code %d %q, want %s", e.code, e.reason, w)
		}
	case "message":
		return matchesMessage(e, l)
	}
	return nil
}

func (p *play) matchesOpen(e *event, l *line) error {
	if m := l.word(1); m != "" && m != "END" {
		if got, _ := e.block.get("method"); got != service+m && got != m {
			return fmt.Errorf("OPEN has the method %q, want %q", got, service+m)
		}
	}
	return e.block.matches(l)
}

func matchesMessage(e *event, l *line) error {
	if l.has("MARK") != e.mark {
		return fmt.Errorf("MARK is %v, want %v", e.mark, l.has("MARK"))
	}
	for _, body := range l.bodies {
		want := proto.Clone(e.msg)
		proto.Reset(want)
		if err := protojson.Unmarshal([]byte(expandZeros(body)), want); err != nil {
			return err
		}
		if !proto.Equal(e.msg, want) {
			return fmt.Errorf("the message is %s, want %s", abbreviated(protojson.Format(e.msg)), abbreviated(body))
		}
	}
	return nil
}

var zeros = regexp.MustCompile(`zeros\((\d+)\)`)

// expandZeros replaces zeros(n) in a message by n zero bytes in base64.
func expandZeros(body string) string {
	return zeros.ReplaceAllStringFunc(body, func(s string) string {
		n, err := number(zeros.FindStringSubmatch(s)[1])
		if err != nil {
			return s
		}
		return base64.StdEncoding.EncodeToString(make([]byte, n))
	})
}

// expectCount waits until an ACK or a WINDOW has reached a number.
func (p *play) expectCount(l *line, within time.Duration) error {
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	s := p.session
	for {
		s.mu.Lock()
		changed, got := s.changed, s.acked
		want := uint64(len(s.sent))
		var err error
		if l.verb == "window" {
			var id uint64
			if id, err = streamID(l.word(0), s.runnerDials); err == nil && s.streams[id] != nil {
				got = s.streams[id].window
			}
			want, err = number(l.word(1))
		} else if l.word(0) != "" {
			want, err = number(l.word(0))
		}
		s.mu.Unlock()
		if err != nil || got >= want {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%s is at %d after %v, want %d", strings.ToUpper(l.verb), got, within, want)
		}
	}
}

// expectNothing waits for a time in which nothing of a stream, or of the link,
// may come: "nothing p1", "nothing link". Without within= it asks for a PONG
// instead of waiting.
func (p *play) expectNothing(l *line, within time.Duration) error {
	of := func(e *event) bool { return e.kind == "close" || e.kind == "cut" }
	if w := l.word(0); w != "link" {
		id, err := streamID(w, p.session.runnerDials)
		if err != nil {
			return err
		}
		of = func(e *event) bool { return e.stream == id }
	}
	if within == stepTime {
		if err := p.alive(); err != nil {
			return err
		}
		within = 10 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	<-ctx.Done()
	p.session.mu.Lock()
	defer p.session.mu.Unlock()
	for _, e := range p.session.events {
		if of(e) {
			return fmt.Errorf("want nothing, got %v", e)
		}
	}
	return nil
}

func (p *play) expectNoRequest(within time.Duration) error {
	args := append(slices.Clone(p.served), arg{"within", within.String()}) // a plain GET is answered as before
	if err := p.newLink(&line{args: args}); err == nil {
		return fmt.Errorf("the implementation dials: %v", p.request.Header)
	}
	return nil
}

// expectHTTP checks the answer to the runner's handshake: a status, and headers
// by header.NAME=VALUE. Absent headers are empty.
func (p *play) expectHTTP(l *line) error {
	if !slices.Contains(strings.Split(l.word(0), "|"), fmt.Sprint(p.answer.status)) {
		return fmt.Errorf("the handshake is answered with %d, want %s", p.answer.status, l.word(0))
	}
	for _, a := range l.args {
		name := strings.TrimPrefix(a.key, "header.")
		if got := p.answer.header.Get(name); got != a.value {
			return fmt.Errorf("the header %s is %q, want %q", name, got, a.value)
		}
	}
	return nil
}

// expectHandshake checks the request of a dialer: header.NAME=VALUE; words are
// subprotocols that it must offer, those with a minus ones that it must not.
func (p *play) expectHandshake(l *line) error {
	if p.request == nil {
		if err := p.newLink(&line{}); err != nil {
			return err
		}
	}
	var offered []string
	for _, v := range p.request.Header.Values("Sec-WebSocket-Protocol") {
		for _, name := range strings.Split(v, ",") {
			offered = append(offered, strings.TrimSpace(name))
		}
	}
	for _, w := range l.words {
		name, unwanted := strings.CutPrefix(w, "-")
		if slices.Contains(offered, name) == unwanted {
			return fmt.Errorf("the dialer offers %q, want %s", offered, w)
		}
	}
	for _, a := range l.args {
		name := strings.TrimPrefix(a.key, "header.")
		if got := p.request.Header.Get(name); got != a.value {
			return fmt.Errorf("the header %s is %q, want %q", name, got, a.value)
		}
	}
	return nil
}
