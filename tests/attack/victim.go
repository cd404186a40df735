package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// victimName is the victim's user name.
const victimName = "victim"

// cutsEvery is after how many messages the victim's link is lost.
const cutsEvery = 50

// victim is a client whose session the attackers try to resume. They are sent
// its secrets. It has a call on which it exchanges numbered messages, and its
// link is lost now and then.
type victim struct {
	addr string
	tell func(*secret)

	link      atomic.Pointer[spied]
	exchanged atomic.Int64
	resumed   atomic.Int64
	ended     chan error
	end       context.CancelFunc
}

// newVictim starts a victim with its call.
func newVictim(ctx context.Context, addr string, tell func(*secret)) *victim {
	v := &victim{addr: addr, tell: tell, ended: make(chan error, 1)}
	ctx, v.end = context.WithCancel(ctx)
	go func() { v.ended <- v.live(ctx) }()
	return v
}

// leave ends the call, and returns an error if the attack has affected it.
func (v *victim) leave() error {
	v.end()
	return <-v.ended
}

func (v *victim) String() string {
	return fmt.Sprintf("the victim exchanged %d messages over %d links", v.exchanged.Load(), v.resumed.Load()+1)
}

func (v *victim) live(ctx context.Context) error {
	link, err := v.dial(ctx)
	if err != nil {
		return err
	}
	lost := make(chan struct{}, 1)
	s, err := transport.NewSession(link, transport.Dialer, transport.Config{
		OnDetached: func(*transport.Session, error) { lost <- struct{}{} }, // Resume takes it before the next loss
	})
	if err != nil {
		return err
	}
	back := make(chan struct{})
	go func() {
		defer close(back)
		v.resume(ctx, s, lost)
	}()
	err = v.exchange(ctx, s)
	_ = s.Close(transport.CloseNormal, "") // err has the result
	v.end()
	<-back
	return err
}

// resume makes a new link for each one that is lost.
func (v *victim) resume(ctx context.Context, s *transport.Session, lost <-chan struct{}) {
	for {
		select {
		case <-lost:
		case <-ctx.Done():
			return
		}
		if resume(ctx, s, v.dial) == nil {
			v.resumed.Add(1)
		}
	}
}

// exchange sends messages and receives them back until ctx ends. It fails if
// one is lost, comes twice, or is out of order.
func (v *victim) exchange(ctx context.Context, s *transport.Session) error {
	st, err := s.Open(ctx, frame.AppendBytesField(nil, 1, talk.Path()))
	if err != nil {
		return err
	}
	defer st.Close()
	beat := time.NewTicker(rhythm)
	defer beat.Stop()
	var buf []byte
	for i := uint64(1); ctx.Err() == nil; i++ {
		<-beat.C
		said := bytesMessage(binary.BigEndian.AppendUint64(nil, i))
		if err := st.Send(ctx, said, transport.SendOptions{}); err != nil {
			return unlessOver(ctx, i, err)
		}
		if i%cutsEvery == 0 {
			_ = v.link.Load().Close(transport.CloseAbnormal, "") // the message may be on the wire, or not
		}
		m, err := st.Recv(ctx, buf[:0])
		if err != nil {
			return unlessOver(ctx, i, err)
		}
		if buf = m.Bytes; !bytes.Equal(buf, said) {
			return fmt.Errorf("message %d came back as %x", i, buf)
		}
		v.exchanged.Add(1)
	}
	return nil
}

func unlessOver(ctx context.Context, i uint64, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("message %d: %w", i, err)
}

// bytesMessage is the message of the server's methods.
func bytesMessage(b []byte) []byte {
	msg, err := proto.Marshal(wrapperspb.Bytes(b))
	if err != nil {
		panic(err) // BytesValue always encodes
	}
	return msg
}

func (v *victim) dial(ctx context.Context) (transport.Link, error) {
	link, err := dial(ctx, v.addr, victimName)
	if err != nil {
		return nil, err
	}
	l := &spied{Link: link, tell: v.tell}
	v.link.Store(l)
	return l, nil
}

// spied is a link that reports the secrets in the server's HELLO.
type spied struct {
	transport.Link
	tell  func(*secret)
	heard bool
}

func (l *spied) NextReader() (io.Reader, error) {
	if l.heard {
		return l.Link.NextReader()
	}
	msg, err := readMessage(l.Link)
	if err != nil {
		return nil, err
	}
	l.heard = true
	hello, err := parseHello(msg)
	if err != nil || hello.Token == nil {
		return nil, errors.Join(errors.New("the server does not offer to resume"), err)
	}
	l.tell(&secret{hello.Session, hello.Token})
	return bytes.NewReader(msg), nil
}
