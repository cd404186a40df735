package conformance

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// hello builds the runner's HELLO. An acceptor adds a session and a token where resumption can be in force. "resume"
// adds what a dialer says that asks to resume, "resumed" what an acceptor
// answers.
func (p *play) hello(l *line) ([]byte, error) {
	s := p.session
	s.mu.Lock()
	defer s.mu.Unlock()
	args := *l
	args.args = slices.Clone(l.args)
	add := func(key, value string) {
		if _, there := l.get(key); !there {
			args.args = append(args.args, arg{key, value})
		}
	}
	window, err := l.number64("resume_window", 0)
	if err != nil {
		return nil, err
	}
	switch {
	case l.has("resume"), l.has("resume-first"):
		id := s.identity
		if l.has("resume-first") {
			id = s.first
		}
		add("session", id[0])
		add("token", id[1])
		add("received", fmt.Sprint(s.received))
		add("attempt", "1")
		add("resume_window", "30000")
	case l.has("replace"), l.has("replace-wrong"):
		token := s.first[1]
		if l.has("replace-wrong") {
			token = strings.Repeat("00", 32)
		}
		add("replaces", s.first[0])
		add("replaces_token", token)
	case !s.runnerDials && l.has("resumed"):
		s.remember(s.identity[0], s.newToken())
		add("session", s.identity[0])
		add("token", s.identity[1])
		add("received", fmt.Sprint(s.received))
		add("resumed", "1")
		add("resume_window", "30000")
	case !s.runnerDials && window > 0 && !l.has("anonymous"):
		s.granted++
		s.remember(fmt.Sprintf("%032x", s.granted), s.newToken())
		add("session", s.identity[0])
		add("token", s.identity[1])
	}
	for name := range s.mine {
		if text, ok := args.get(name); ok {
			n, err := number(text)
			if err != nil {
				return nil, err
			}
			s.mine[name] = n
		}
	}
	for _, st := range s.streams {
		st.limit = max(st.limit, s.mine["initial_window"])
	}
	payload, err := block("hello", &args)
	f := frame{kind: typeHello, payload: payload}
	return f.append(nil), err
}

// writeHello writes the runner's HELLO, and then the PONGs that waited for it.
func (p *play) writeHello(msg []byte) error {
	if err := p.write(msg); err != nil {
		return err
	}
	return p.link().open()
}

// newToken returns the next token of the runner. mu is held.
func (s *session) newToken() string {
	s.granted++
	token := make([]byte, 32)
	token[0] = byte(s.granted)
	return hex.EncodeToString(token)
}

// awaitHello waits until the HELLO of the implementation is there, and leaves
// it for a step that expects it.
func (p *play) awaitHello() error {
	e, err := p.await(stepTime, "HELLO", func(e *event) bool { return e.kind == "hello" && e.link == p.link().number })
	if err != nil {
		return err
	}
	p.session.mu.Lock()
	defer p.session.mu.Unlock()
	p.session.events = slices.Insert(p.session.events, 0, e)
	return nil
}
