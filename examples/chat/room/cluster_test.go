package room

import (
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/ext/cluster"
	chatv1 "github.com/parley-rpc/parley/gen/parley/chat/v1"
	"github.com/parley-rpc/parley/gen/parley/chat/v1/chatv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// pairOfServers starts two servers of one cluster.
func pairOfServers(t *testing.T) (one, two string) {
	t.Helper()
	bus := cluster.NewMemoryBus()
	return startMember(t, bus), startMember(t, bus)
}

// startMember starts a server of a cluster, which other nodes can reach.
func startMember(t *testing.T, bus cluster.Bus) (url string) {
	t.Helper()
	inner := httptest.NewUnstartedServer(nil)
	t.Cleanup(inner.Close)
	node, err := cluster.New(cluster.Config{
		Bus: bus, Identify: Identify, Credentials: cluster.Credentials{Secret: "known to all nodes"},
		Advertise: "ws://" + inner.Listener.Addr().String(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.Close)
	inner.Config.Handler = node.NodeHandler()
	inner.Start()
	return start(t, NewService(node))
}

func enterAgain(room, name, key, position string) *chatv1.JoinRequest {
	req := enter(room, name)
	req.GetEnter().Key, req.GetEnter().Position = key, position
	return req
}

func sayNumber(number int) *chatv1.JoinRequest {
	return &chatv1.JoinRequest{Action: &chatv1.JoinRequest_Say{
		Say: &chatv1.Say{Text: strconv.Itoa(number), Number: uint64(number)},
	}}
}

// until receives until ok accepts a response.
func until(t *testing.T, c call, ok func(*chatv1.JoinResponse) bool) {
	t.Helper()
	for res := recv(t, c); !ok(res); {
		res = recv(t, c)
	}
}

func TestMemberThatReturnsAtAnotherServerMissesNothing(t *testing.T) {
	one, two := pairOfServers(t)
	bob := join(t, two, "lobby", "bob")
	ada := open(t, one)
	send(t, ada, enterAgain("lobby", "ada", "a secret", ""))
	until(t, bob, func(r *chatv1.JoinResponse) bool { return r.GetCame().GetName() == "ada" })
	send(t, ada, sayNumber(1))
	var position string
	until(t, ada, func(r *chatv1.JoinResponse) bool {
		position = r.Position
		return r.GetSaid().GetText() == "1"
	})
	ada.Close()
	send(t, bob, say("meanwhile"))
	again := open(t, two)
	send(t, again, enterAgain("lobby", "ada", "a secret", position))
	send(t, again, sayNumber(1)) // it may have been lost
	send(t, again, sayNumber(2))
	for name, c := range map[string]call{"ada": again, "bob": bob} {
		var heard []string
		until(t, c, func(r *chatv1.JoinResponse) bool {
			if r.Missed > 0 || r.MissedMore {
				t.Errorf("%s was told a gap: %v", name, r)
			}
			if r.GetSaid() != nil {
				heard = append(heard, r.GetSaid().GetText())
			}
			return r.GetSaid().GetText() == "2"
		})
		want := map[string]string{"ada": "meanwhile 1 2", "bob": "1 meanwhile 2"}[name]
		if got := strings.Join(heard, " "); got != want {
			t.Errorf("%s heard %q, want %q", name, got, want)
		}
	}
}

func TestMembersAreThoseOfAllServers(t *testing.T) {
	one, two := pairOfServers(t)
	ada := join(t, one, "lobby", "ada")
	bob := join(t, two, "lobby", "bob")
	until(t, ada, func(r *chatv1.JoinResponse) bool { return r.GetCame().GetName() == "bob" })
	bob.Close()
	until(t, ada, func(r *chatv1.JoinResponse) bool { return r.GetLeft().GetName() == "bob" })
}

func TestTypingIsShownOnAllServers(t *testing.T) {
	synctest.Test(t, testTypingOnTwoServers)
}

func testTypingOnTwoServers(t *testing.T) {
	bus := cluster.NewMemoryBus()
	rs, other := newRooms(newNode(t, bus)), newRooms(newNode(t, bus))
	ada, bob := newMember("", "ada"), newMember("", "bob")
	for m, rs := range map[*member]*rooms{ada: rs, bob: other} {
		m.client = m.name
		if err := rs.admit(m, "lobby"); err != nil {
			t.Fatal(err)
		}
		<-m.typistsChanged
	}
	synctest.Wait() // for the subscriptions
	other.types(bob)
	<-ada.typistsChanged
	if names := rs.typingBeside(ada); len(names) != 1 || names[0] != "bob" {
		t.Errorf("%q are typing", names)
	}
	other.stops(bob)
	rs.remove(ada)
	other.remove(bob)
}

func TestListenerContinuesAtAnotherServer(t *testing.T) {
	one, two := pairOfServers(t)
	ada := join(t, one, "lobby", "ada")
	send(t, ada, sayNumber(1))
	first := listen(t, two, "")
	if first.GetSaid().GetText() != "1" || first.Position == "" {
		t.Fatalf("first heard %v", first)
	}
	send(t, ada, sayNumber(2))
	if next := listen(t, one, first.Position); next.GetSaid().GetText() != "2" || next.Missed > 0 || next.MissedMore {
		t.Errorf("then heard %v", next)
	}
}

// listen returns what a listener hears first.
func listen(t *testing.T, url, position string) *chatv1.ListenResponse {
	t.Helper()
	client := rpc.NewClient(url)
	defer client.Close()
	lines, err := chatv1parley.NewChatServiceClient(client).Listen(t.Context(), &chatv1.ListenRequest{Room: "lobby", Position: position})
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close()
	res, err := lines.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return res
}
