// Package room implements ChatService: rooms in which a slow member delays no
// other member and costs a bounded amount of memory.
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

// Join serves one member. One goroutine reads what the member says, so that it
// can talk and listen at the same time. Another one shows it who is typing.
func (s *Service) Join(ctx context.Context, in rpc.Receiver[chatv1.JoinRequest], out rpc.Sender[chatv1.JoinResponse]) error {
	enter, err := first(in)
	if err != nil {
		return err
	}
	m, entered, err := s.rooms.enter(enter.Room, enter.Name)
	if err != nil {
		return err
	}
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	var beside sync.WaitGroup
	var left error // why the member has left
	beside.Go(func() {
		left = s.listen(m, in)
		s.rooms.leave(m)
		leave()
	})
	if enter.ShowsTyping {
		page := chatv1parley.NewMemberServiceClient(rpc.FromContext(ctx).Conn)
		beside.Go(func() { s.rooms.showTyping(ctx, m, page) })
	}
	ev, ok := &chatv1.JoinResponse{Event: &chatv1.JoinResponse_Entered{Entered: entered}}, true
	for ok {
		if err := out.Send(ev); err != nil { // blocks while the member does not read
			beside.Wait() // the call is over, so they end too
			return err
		}
		ev, ok = m.queue.take()
	}
	beside.Wait()
	return left
}

// first reads the first message of a call.
func first(in rpc.Receiver[chatv1.JoinRequest]) (*chatv1.Enter, error) {
	req, err := in.Recv()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	enter := req.GetEnter()
	if enter == nil {
		return nil, rpc.Errorf(rpc.CodeInvalidArgument, "the first message has to be an Enter")
	}
	for _, name := range []string{enter.Name, enter.Room} {
		if name == "" || len(name) > maxName || printable(name, "") != name {
			return nil, rpc.Errorf(rpc.CodeInvalidArgument, "%.100q is no name: want 1 to %d printable bytes", name, maxName)
		}
	}
	return enter, nil
}

// listen sends what a member says to the room, until the end of the member's
// messages.
func (s *Service) listen(m *member, in rpc.Receiver[chatv1.JoinRequest]) error {
	for req, err := range in.All() {
		if err != nil {
			return err
		}
		switch action := req.Action.(type) {
		case *chatv1.JoinRequest_Say:
			text := action.Say.GetText()
			if len(text) > maxText {
				return rpc.Errorf(rpc.CodeInvalidArgument, "a line of %d bytes is too long, at most %d are passed on", len(text), maxText)
			}
			s.rooms.say(m, printable(text, joiners))
		case *chatv1.JoinRequest_Typing:
			if action.Typing.GetTyping() {
				s.rooms.types(m)
			} else {
				s.rooms.stops(m)
			}
		default:
			return rpc.Errorf(rpc.CodeInvalidArgument, "all messages but the first have to be a Say or a Typing")
		}
	}
	return nil
}

// joiners are characters that combine others in some scripts and in emoji.
const joiners = "\u200c\u200d"

// printable removes the characters that would control the terminals of the
// other members, unless except contains them.
func printable(s, except string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || strings.ContainsRune(except, r) {
			return r
		}
		return -1
	}, s)
}
