// Package room implements ChatService: rooms in which a slow member holds up
// nobody and costs a bounded amount of memory.
package room

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"unicode"

	chatv1 "github.com/parley-rpc/parley/gen/parley/chat/v1"
	"github.com/parley-rpc/parley/gen/parley/chat/v1/chatv1parley"
	"github.com/parley-rpc/parley/rpc"
)

const (
	maxName = 64      // bytes of a name, of a member or a room
	maxText = 4 << 10 // bytes of a line
)

// Service is a ChatServiceServer.
type Service struct {
	chatv1parley.UnimplementedChatServiceServer
	rooms rooms
}

// NewService returns a Service without rooms.
func NewService() *Service {
	return &Service{rooms: rooms{rooms: make(map[string]*room)}}
}

// Join serves one member. What the member says is read by a goroutine of its own,
// so that it can talk and listen at once.
func (s *Service) Join(ctx context.Context, in rpc.Receiver[chatv1.JoinRequest], out rpc.Sender[chatv1.JoinResponse]) error {
	m, names, err := s.enter(rpc.FromContext(ctx).Conn, in)
	if err != nil {
		return err
	}
	var listening sync.WaitGroup
	var left error // why the member has left
	listening.Go(func() {
		left = s.listen(m, in)
		s.rooms.leave(m)
	})
	ev, ok := &chatv1.JoinResponse{Event: &chatv1.JoinResponse_Entered{Entered: &chatv1.Entered{Names: names}}}, true
	for ok {
		if err := out.Send(ev); err != nil { // blocks while the member does not read
			listening.Wait() // the call is over, so it ends too
			return err
		}
		ev, ok = m.queue.take()
	}
	listening.Wait()
	return left
}

// enter reads the first message of a call.
func (s *Service) enter(conn *rpc.Conn, in rpc.Receiver[chatv1.JoinRequest]) (m *member, names []string, err error) {
	req, err := in.Recv()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	enter := req.GetEnter()
	if enter == nil {
		return nil, nil, rpc.Errorf(rpc.CodeInvalidArgument, "the first message has to be an Enter")
	}
	for _, name := range []string{enter.Name, enter.Room} {
		if name == "" || len(name) > maxName || printable(name) != name {
			return nil, nil, rpc.Errorf(rpc.CodeInvalidArgument, "%.100q is no name: want 1 to %d printable bytes", name, maxName)
		}
	}
	return s.rooms.enter(enter.Room, enter.Name, conn)
}

// listen passes on what a member says until it has said all.
func (s *Service) listen(m *member, in rpc.Receiver[chatv1.JoinRequest]) error {
	for req, err := range in.All() {
		if err != nil {
			return err
		}
		say := req.GetSay()
		switch {
		case say == nil:
			return rpc.Errorf(rpc.CodeInvalidArgument, "all messages but the first have to be a Say")
		case len(say.Text) > maxText:
			return rpc.Errorf(rpc.CodeInvalidArgument, "a line of %d bytes is too long, at most %d are passed on", len(say.Text), maxText)
		}
		s.rooms.say(m, printable(say.Text))
	}
	return nil
}

// printable leaves out what would command the terminals of the other members.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, s)
}
