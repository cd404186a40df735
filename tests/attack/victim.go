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

// victimName is who the victim is.
const victimName = "victim"

// cutsEvery is how often the victim's link is lost, in messages.
const cutsEvery = 50

// victim is a client whose session others would like to have. Its secrets are
// told to them. It has a call on which it exchanges numbered messages, and its
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

// newVictim has a victim begin its call.
func newVictim(ctx context.Context, addr string, tell func(*secret)) *victim {
	v := &victim{addr: addr, tell: tell, ended: make(chan error, 1)}
	ctx, v.end = context.WithCancel(ctx)
	go func() { v.ended <- v.live(ctx) }()
	return v
}

// leave ends the call, and reports whether the victim has suffered.
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
		OnDetached: func(*transport.Session, error) { lost <- struct{}{} }, // Resume takes it before the next
	})
	if err != nil {
		return err
	}
	back := make(chan struct{})
	go func() {
		defer close(back)
		v.comeBack(ctx, s, lost)
	}()
	err = v.talk(ctx, s)
	_ = s.Close(transport.CloseNormal, "") // what counts is in err
	v.end()
	<-back
	return err
}

// comeBack makes new links for those that are lost.
func (v *victim) comeBack(ctx context.Context, s *transport.Session, lost <-chan struct{}) {
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

// talk exchanges messages until ctx ends. It is an error if one is lost,
// doubled, or not in its place.
func (v *victim) talk(ctx context.Context, s *transport.Session) error {
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
			_ = v.link.Load().Close(transport.CloseAbnormal, "") // the message is on its way, or not
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
		panic(err) // cannot be: it is bytes
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

// spied is a link whose greeting is overheard.
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
	hello, err := greeting(msg)
	if err != nil || hello.Token == nil {
		return nil, errors.Join(errors.New("the server does not offer to resume"), err)
	}
	l.tell(&secret{hello.Session, hello.Token})
	return bytes.NewReader(msg), nil
}
