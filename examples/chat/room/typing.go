package room

import (
	"context"
	"sync"
	"time"

	chatv1 "github.com/parley-rpc/parley/gen/parley/chat/v1"
	"github.com/parley-rpc/parley/gen/parley/chat/v1/chatv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// showTimeout is how long a member may take to note who types.
const showTimeout = time.Second

// Type has the server call the other members. It returns when they have been told; while they are, the same member is
// not told of again.
func (s *Service) Type(ctx context.Context, _ *chatv1.TypeRequest) (*chatv1.TypeResponse, error) {
	types, ok := s.rooms.startTyping(rpc.FromContext(ctx).Conn)
	if !ok {
		return nil, rpc.Errorf(rpc.CodeFailedPrecondition, "nobody is in a room over this connection: call Join first")
	}
	var calls sync.WaitGroup
	for m, others := range types {
		for _, other := range others {
			calls.Go(func() {
				// One who does not serve this, or is slow, just does not see it.
				_, _ = chatv1parley.NewMemberServiceClient(other).ShowTyping(ctx,
					&chatv1.ShowTypingRequest{Name: m.name}, rpc.WithTimeout(showTimeout))
			})
		}
	}
	calls.Wait()
	s.rooms.stopTyping(types)
	return &chatv1.TypeResponse{}, nil
}

// startTyping returns the members of a connection that nobody is being told of, with the connections of those who are in
// the same room. It is not ok if the connection has no member.
func (rs *rooms) startTyping(conn *rpc.Conn) (types map[*member][]*rpc.Conn, ok bool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	types = make(map[*member][]*rpc.Conn)
	for _, r := range rs.rooms {
		for _, m := range r.members {
			if m.conn != conn {
				continue
			}
			ok = true
			if m.typing {
				continue
			}
			m.typing = true
			types[m] = nil
			for _, other := range r.members {
				if other.conn != conn {
					types[m] = append(types[m], other.conn)
				}
			}
		}
	}
	return types, ok
}

func (rs *rooms) stopTyping(types map[*member][]*rpc.Conn) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for m := range types {
		m.typing = false
	}
}
