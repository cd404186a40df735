package room

import (
	"sync"

	chatv1 "github.com/parley-rpc/parley/gen/parley/chat/v1"
)

// sender lets several goroutines send to one member.
type sender struct {
	mu  sync.Mutex
	out func(*chatv1.JoinResponse) error
}

// send waits while the member does not read. An error says that the call is over.
func (s *sender) send(res *chatv1.JoinResponse) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out(res)
}
