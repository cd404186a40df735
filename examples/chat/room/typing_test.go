package room

import (
	"context"
	"errors"
	"testing"

	chatv1 "github.com/parley-rpc/parley/gen/parley/chat/v1"
	"github.com/parley-rpc/parley/gen/parley/chat/v1/chatv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// watcher notes who types.
type watcher struct {
	chatv1parley.UnimplementedMemberServiceServer
	names chan string
}

func (w watcher) ShowTyping(_ context.Context, req *chatv1.ShowTypingRequest) (*chatv1.ShowTypingResponse, error) {
	w.names <- req.Name
	return &chatv1.ShowTypingResponse{}, nil
}

// client returns a client that serves opts, and is in a room if name is not empty.
func client(t *testing.T, url, name string, opts ...rpc.ClientOption) *rpc.Client {
	t.Helper()
	c := rpc.NewClient(url, opts...)
	t.Cleanup(func() { c.Close() })
	if name == "" {
		return c
	}
	in, err := chatv1parley.NewChatServiceClient(c).Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	send(t, in, enter("lobby", name))
	recv(t, in)
	return c
}

func TestOthersInTheRoomAreCalledWhenOneTypes(t *testing.T) {
	url := start(t, NewService())
	w := watcher{names: make(chan string, 1)}
	services := rpc.NewMux()
	chatv1parley.RegisterMemberServiceServer(services, w)
	client(t, url, "ada", rpc.WithServices(services))
	client(t, url, "tom") // serves nothing, which is no fault
	grace := client(t, url, "grace")
	if _, err := chatv1parley.NewChatServiceClient(grace).Type(t.Context(), &chatv1.TypeRequest{}); err != nil {
		t.Fatal(err)
	}
	if name := <-w.names; name != "grace" {
		t.Errorf("ada was told that %q types", name)
	}
}

func TestOneWhoIsInNoRoomCannotType(t *testing.T) {
	stranger := client(t, start(t, NewService()), "")
	_, err := chatv1parley.NewChatServiceClient(stranger).Type(t.Context(), &chatv1.TypeRequest{})
	if !errors.Is(err, rpc.CodeFailedPrecondition) {
		t.Errorf("got %v", err)
	}
}
