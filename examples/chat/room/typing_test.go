package room

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	chatv1 "github.com/parley-rpc/parley/gen/parley/chat/v1"
	"github.com/parley-rpc/parley/gen/parley/chat/v1/chatv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// page is a member's page that shows who is typing.
type page chan []string

func (p page) ShowTyping(ctx context.Context, req *chatv1.ShowTypingRequest) (*chatv1.ShowTypingResponse, error) {
	select {
	case p <- req.Names:
		return new(chatv1.ShowTypingResponse), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// client calls a page without a connection.
type client struct{ page }

func (c client) ShowTyping(ctx context.Context, req *chatv1.ShowTypingRequest, _ ...rpc.CallOption) (*chatv1.ShowTypingResponse, error) {
	return c.page.ShowTyping(ctx, req)
}

func (p page) shows(t *testing.T, want ...string) {
	t.Helper()
	if got := <-p; !slices.Equal(got, want) {
		t.Errorf("shown %q, want %q", got, want)
	}
}

func typing(on bool) *chatv1.JoinRequest {
	return &chatv1.JoinRequest{Action: &chatv1.JoinRequest_Typing{Typing: &chatv1.Typing{Typing: on}}}
}

func TestServerCallsMembersToShowWhoIsTyping(t *testing.T) {
	url := alone(t)
	shown := make(page)
	services := rpc.NewMux()
	chatv1parley.RegisterMemberServiceServer(services, shown)
	conn := rpc.NewClient(url, rpc.WithServices(services))
	t.Cleanup(func() { conn.Close() })
	ada, err := chatv1parley.NewChatServiceClient(conn).Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hello := enter("lobby", "ada")
	hello.GetEnter().ShowsTyping = true
	send(t, ada, hello)
	recv(t, ada) // is there

	bob := join(t, url, "lobby", "bob")
	send(t, ada, typing(true)) // it gets no event about itself
	send(t, bob, typing(true))
	shown.shows(t, "bob")
	send(t, bob, say("hello"))
	shown.shows(t)
	send(t, bob, typing(true))
	shown.shows(t, "bob")
	send(t, bob, typing(false))
	shown.shows(t)
	send(t, bob, typing(true))
	shown.shows(t, "bob")
	bob.Close()
	shown.shows(t)
}

func TestMemberThatDoesNotShowTypingStillGetsLines(t *testing.T) {
	url := alone(t)
	ada := open(t, url)
	hello := enter("lobby", "ada")
	hello.GetEnter().ShowsTyping = true
	send(t, ada, hello)
	recv(t, ada) // is there
	bob := join(t, url, "lobby", "bob")
	recv(t, ada) // bob came
	send(t, bob, typing(true))
	send(t, bob, say("hello"))
	if ev := recv(t, ada); ev.GetSaid().GetText() != "hello" {
		t.Errorf("got %v", ev)
	}
}

// pair is two members of a room, without connections.
func pair(t *testing.T) (rs *rooms, ada, bob *member) {
	t.Helper()
	rs = newRooms(newNode(t, nil))
	ada, bob = newMember("", "ada"), newMember("", "bob")
	for _, m := range []*member{ada, bob} {
		m.client = m.name
		if err := rs.admit(m, "lobby"); err != nil {
			t.Fatal(err)
		}
		<-m.typistsChanged
	}
	synctest.Wait() // for the subscription
	return rs, ada, bob
}

func TestTypingEndsByItselfUnlessSaidAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs, ada, bob := pair(t)
		began := time.Now()
		rs.types(bob)
		<-ada.typistsChanged
		<-time.After(typingHolds - time.Second)
		rs.types(bob)
		<-ada.typistsChanged
		if took, want := time.Since(began), 2*typingHolds-time.Second; took != want {
			t.Errorf("ended after %v, want %v", took, want)
		}
		if names := rs.typingBeside(ada); names != nil {
			t.Errorf("%q are typing", names)
		}
		rs.remove(ada)
		rs.remove(bob)
	})
}

func TestWhoLeavesWhileTypingIsNotTyping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs, ada, bob := pair(t)
		defer rs.remove(ada)
		rs.types(bob)
		rs.stops(bob) // as leave does
		rs.remove(bob)
		synctest.Wait()
		if names := rs.typingBeside(ada); names != nil {
			t.Errorf("%q are typing", names)
		}
	})
}

// Changes during a call come with the next one.
func TestSlowPageIsCalledOnceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs, ada, bob := pair(t)
		shown := make(page)
		ctx, leave := context.WithCancel(t.Context())
		go rs.showTyping(ctx, ada, client{shown})
		rs.types(bob)
		synctest.Wait() // the page has not taken it yet
		for range 100 {
			rs.stops(bob)
			rs.types(bob)
		}
		rs.stops(bob)
		shown.shows(t, "bob")
		began := time.Now()
		shown.shows(t)
		if took := time.Since(began); took != showPause {
			t.Errorf("called again after %v, want %v", took, showPause)
		}
		leave()
		rs.remove(ada)
		rs.remove(bob)
	})
}
