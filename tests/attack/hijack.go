package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"strings"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// secret is what an attacker must know to resume a session.
type secret struct{ id, token []byte }

func (s *secret) String() string { return fmt.Sprintf("%x %x", s.id, s.token) }

func parseSecret(line string) (*secret, error) {
	id, token, _ := strings.Cut(strings.TrimSpace(line), " ")
	var s secret
	var err, also error
	s.id, err = hex.DecodeString(id)
	s.token, also = hex.DecodeString(token)
	return &s, errors.Join(err, also)
}

// robber describes an attacker that asks for the victim's session, and what it
// knows.
type robber struct {
	name string
	take func(s *secret)
}

// robbers know less and less of the secret: the token but not the name, the
// token but for one bit, the id, nothing.
var robbers = []robber{
	{"mallory", func(*secret) {}},
	{"", func(*secret) {}},
	{victimName, func(s *secret) { s.token[mathrand.IntN(frame.TokenLen)] ^= 1 << mathrand.IntN(8) }},
	{victimName, func(s *secret) { s.token = random(frame.TokenLen) }},
	{victimName, func(s *secret) { s.id, s.token = random(frame.MinSessionLen), random(frame.TokenLen) }},
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// hijack tries once to resume the victim's session.
func hijack(ctx context.Context, addr string, n *tally) error {
	stolen := n.stolen.Load()
	if stolen == nil {
		pause(ctx, rhythm)
		return nil
	}
	r := robbers[mathrand.IntN(len(robbers))]
	s := secret{bytes.Clone(stolen.id), bytes.Clone(stolen.token)}
	r.take(&s)
	return s.resume(ctx, addr, r.name, n)
}

// resume asks for a session. It counts answers that resume it, or that reveal
// that it exists.
func (s *secret) resume(ctx context.Context, addr, name string, n *tally) error {
	link, err := dial(ctx, addr, name)
	if err != nil {
		return err
	}
	defer link.Close(1006, "") //nolint:errcheck // what it was given instead is left behind
	wish := resumable
	wish.Session, wish.Token, wish.Attempt = s.id, s.token, 1+mathrand.Uint64N(frame.MaxVarint)
	if err := link.WriteMessage([][]byte{wish.Append(nil)}); err != nil {
		return err
	}
	msg, err := readMessage(link)
	if err != nil {
		n.won.Add(1) // a refusal differs from "session unknown", so it reveals something
		return err
	}
	hello, err := parseHello(msg)
	if err != nil {
		return err
	}
	n.units.Add(1)
	if hello.Answer != frame.SessionUnknown || bytes.Equal(hello.Session, s.id) {
		n.won.Add(1)
	}
	return nil
}

func readMessage(link transport.Link) ([]byte, error) {
	r, err := link.NextReader()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// parseHello reads the HELLO at the start of a message.
func parseHello(msg []byte) (frame.Hello, error) {
	h, n, err := frame.ParseHeader(msg)
	switch {
	case err != nil:
		return frame.Hello{}, err
	case h.Type != frame.TypeHello || uint64(len(msg)-n) < h.Length:
		return frame.Hello{}, fmt.Errorf("%v instead of a HELLO", h.Type)
	}
	return frame.ParseHello(msg[n : n+int(h.Length)])
}
