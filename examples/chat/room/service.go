// Package room implements ChatService on the nodes of a cluster: a room is a
// topic with history, and its members are who the directory says. A slow member
// delays no other member and costs a bounded amount of memory.
package room

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/parley-rpc/parley/ext/cluster"
	chatv1 "github.com/parley-rpc/parley/gen/parley/chat/v1"
	"github.com/parley-rpc/parley/gen/parley/chat/v1/chatv1parley"
	"github.com/parley-rpc/parley/rpc"
)

const (
	maxName = 64      // bytes of a name, of a member or a room, and of a key
	maxText = 4 << 10 // bytes of a line

	keptLines = 1000 // of a room
	keptFor   = time.Hour
)

// Identify is for cluster.Config: each connection is a client of its own. The
// name of a member is not that of its connection.
func Identify(c *rpc.Conn) (client string, ok bool) {
	return hex.EncodeToString(c.SessionID()), true
}

// Service is a ChatServiceServer. The services of all nodes of a cluster have
// the same rooms.
type Service struct {
	chatv1parley.UnimplementedChatServiceServer

	node  *cluster.Node
	rooms *rooms
}

// NewService returns the Service of a node, whose Config.Identify is Identify.
// Run must be called.
func NewService(node *cluster.Node) *Service {
	return &Service{node: node, rooms: newRooms(node)}
}

// ServerOptions returns the options of the server, those of the node included.
func (s *Service) ServerOptions() []rpc.ServerOption {
	return append(s.node.ServerOptions(), rpc.OnConnect(s.rooms.connected))
}

// Run keeps the members of other servers up to date until ctx ends.
func (s *Service) Run(ctx context.Context) { s.rooms.watch(ctx) }

// lines returns the topic of what is said in a room.
func (s *Service) lines(room string) *cluster.Topic[*chatv1.Said] {
	return cluster.TopicOf[*chatv1.Said](s.node, "lines/"+room, cluster.WithHistory(keptLines, keptFor))
}

// Join serves one member. One goroutine receives what the member says, so that
// it can talk and listen at the same time. Others tell it who is there, and show
// it who is typing.
func (s *Service) Join(ctx context.Context, in rpc.Receiver[chatv1.JoinRequest], out rpc.Sender[chatv1.JoinResponse]) error {
	enter, err := first(in)
	if err != nil {
		return err
	}
	conn := rpc.FromContext(ctx).Conn
	m, entered, err := s.rooms.enter(conn, enter)
	if err != nil {
		return err
	}
	defer s.rooms.leave(m)
	entered.Server = s.node.Name()
	to := &sender{out: out.Send}
	if err := to.send(&chatv1.JoinResponse{Event: &chatv1.JoinResponse_Entered{Entered: entered}}); err != nil {
		return err
	}

	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	go func() { leave(orLeft(s.listen(ctx, m, in))) }() // ends with the call, at the latest
	go func() { leave(s.rooms.showMembers(ctx, m, to)) }()
	if enter.ShowsTyping {
		go s.rooms.showTyping(ctx, m, chatv1parley.NewMemberServiceClient(conn))
	}
	err = s.follow(ctx, m, cluster.Position(enter.Position), to)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if errors.Is(err, errLeft) {
		return nil
	}
	return err
}

// errLeft says that a member has ended the call.
var errLeft = errors.New("the member has left")

func orLeft(err error) error {
	if err == nil {
		return errLeft
	}
	return err
}

// follow sends the lines of the room to a member, from a position on.
func (s *Service) follow(ctx context.Context, m *member, from cluster.Position, to *sender) error {
	said := make(numbers)
	return s.lines(m.room.name).Serve(ctx, cmp.Or(from, cluster.Oldest), func(d cluster.Delivery[*chatv1.Said]) error {
		res := &chatv1.JoinResponse{Position: string(d.Position), Missed: d.Gap.Count, MissedMore: d.Gap.Unknown}
		if line := d.Message; line != nil {
			if !said.add(line.Member, line.Number) {
				return nil // the first one was told
			}
			res.Event = &chatv1.JoinResponse_Said{Said: line}
		}
		return to.send(res)
	})
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
		if err := checkName(name); err != nil {
			return nil, err
		}
	}
	if len(enter.Key) > maxName {
		return nil, rpc.Errorf(rpc.CodeInvalidArgument, "a key of %d bytes is too long: want at most %d", len(enter.Key), maxName)
	}
	return enter, nil
}

// checkName returns an error if a member or a room cannot have a name.
func checkName(name string) error {
	if name == "" || len(name) > maxName || printable(name, "") != name {
		return rpc.Errorf(rpc.CodeInvalidArgument, "%.100q is no name: want 1 to %d printable bytes", name, maxName)
	}
	return nil
}

// listen says what a member says to the room, until the end of the member's
// messages.
func (s *Service) listen(ctx context.Context, m *member, in rpc.Receiver[chatv1.JoinRequest]) error {
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
			s.rooms.stops(m)
			err := s.say(ctx, m.room.name, &chatv1.Said{
				Name: m.name, Text: printable(text, joiners), Number: action.Say.GetNumber(),
				Member: m.id, AtMs: time.Now().UnixMilli(),
			})
			if err != nil {
				return err
			}
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

// Delays of a line that could not be stored.
const (
	firstSayDelay = 100 * time.Millisecond
	maxSayDelay   = 2 * time.Second
)

// say stores a line. It tries again while the bus is away: the members are told
// a line once, even if it is stored twice.
func (s *Service) say(ctx context.Context, room string, line *chatv1.Said) error {
	for delay := firstSayDelay; ; delay = min(2*delay, maxSayDelay) {
		err := s.lines(room).Publish(ctx, line)
		if !errors.Is(err, rpc.CodeUnavailable) || line.Number == 0 {
			return err
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
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
