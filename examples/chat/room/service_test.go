package room

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/ext/cluster"
	chatv1 "github.com/parley-rpc/parley/gen/parley/chat/v1"
	"github.com/parley-rpc/parley/gen/parley/chat/v1/chatv1parley"
	"github.com/parley-rpc/parley/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type call = rpc.Duplex[chatv1.JoinRequest, chatv1.JoinResponse]

// newNode returns a node at a bus, or alone.
func newNode(t *testing.T, bus cluster.Bus) *cluster.Node {
	t.Helper()
	config := cluster.Config{Bus: bus, Identify: Identify}
	if bus != nil {
		config.Credentials.Secret = "known to all nodes"
	}
	node, err := cluster.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.Close)
	return node
}

// start starts a server of s and returns its URL.
func start(t *testing.T, s *Service) (url string) {
	t.Helper()
	srv := rpc.NewServer(s.ServerOptions()...)
	chatv1parley.RegisterChatServiceServer(srv, s)
	web := httptest.NewServer(s.node.Handler(srv))
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	t.Cleanup(func() {
		srv.Close()
		web.Close()
		stop()
		running.Wait()
	})
	return web.URL
}

// alone starts a server without a bus.
func alone(t *testing.T) (url string) {
	t.Helper()
	return start(t, NewService(newNode(t, nil)))
}

// open starts a call on a connection of its own.
func open(t *testing.T, url string) call {
	t.Helper()
	client := rpc.NewClient(url)
	t.Cleanup(func() { client.Close() })
	c, err := chatv1parley.NewChatServiceClient(client).Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// join enters a room and waits to be let in.
func join(t *testing.T, url, room, name string) call {
	t.Helper()
	c := open(t, url)
	send(t, c, enter(room, name))
	if ev := recv(t, c); !slices.Contains(ev.GetEntered().GetNames(), name) {
		t.Fatalf("%s was first told %v", name, ev)
	}
	return c
}

func enter(room, name string) *chatv1.JoinRequest {
	return &chatv1.JoinRequest{Action: &chatv1.JoinRequest_Enter{Enter: &chatv1.Enter{Room: room, Name: name}}}
}

func say(text string) *chatv1.JoinRequest {
	return &chatv1.JoinRequest{Action: &chatv1.JoinRequest_Say{Say: &chatv1.Say{Text: text}}}
}

func send(t *testing.T, c call, req *chatv1.JoinRequest) {
	t.Helper()
	if err := c.Send(req); err != nil {
		t.Fatal(err)
	}
}

func recv(t *testing.T, c call) *chatv1.JoinResponse {
	t.Helper()
	ev, err := c.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

// hear returns the next line, and the lines that are missing before it.
func hear(t *testing.T, c call) (said *chatv1.Said, isGap bool) {
	t.Helper()
	for said == nil {
		ev := recv(t, c)
		isGap = isGap || ev.Missed > 0 || ev.MissedMore
		said = ev.GetSaid()
	}
	return said, isGap
}

func TestSlowMemberDelaysNoOtherAndLearnsThatItMissedLines(t *testing.T) {
	const lines = 2500
	url := alone(t)
	talker := join(t, url, "lobby", "talker")
	fast := join(t, url, "lobby", "fast")
	slow := join(t, url, "lobby", "slow")
	recv(t, talker) // fast came
	recv(t, talker) // slow came
	recv(t, fast)   // slow came

	padding := strings.Repeat(".", 4000)
	for n := range lines { // one at a time, so that only slow is ever behind
		text := strconv.Itoa(n) + padding
		send(t, talker, say(text))
		for _, member := range []call{talker, fast} {
			if said, isGap := hear(t, member); said.Text != text || isGap {
				t.Fatalf("line %d: got %.100v, gap %t", n, said, isGap)
			}
		}
	}
	send(t, talker, say("last"))
	gaps, next := 0, 0
	for { // what the windows of the connection held, then what the room keeps
		said, isGap := hear(t, slow)
		if isGap {
			gaps++
		}
		if said.Text == "last" {
			break
		}
		n, err := strconv.Atoi(strings.TrimRight(said.Text, "."))
		if err != nil || n < next || n > next && !isGap {
			t.Fatalf("after line %d, gap %t: got %.100v", next-1, isGap, said)
		}
		next = n + 1
	}
	if gaps == 0 || next != lines {
		t.Errorf("got %d gaps, and lines until %d of %d", gaps, next, lines)
	}
}

func TestAllMembersHearTheSameOrder(t *testing.T) {
	const members, lines = 3, 15
	url := alone(t)
	calls := make([]call, members)
	for i := range calls {
		calls[i] = join(t, url, "lobby", strconv.Itoa(i))
		for _, earlier := range calls[:i] {
			recv(t, earlier) // i came
		}
	}
	for i, c := range calls {
		go func() {
			for n := range lines {
				if err := c.Send(say(strconv.Itoa(n))); err != nil {
					t.Errorf("member %d: %v", i, err)
				}
			}
		}()
	}
	var first []string
	for i, c := range calls {
		var heard []string
		for range members * lines {
			said, _ := hear(t, c)
			heard = append(heard, said.Name+" "+said.Text)
		}
		if i == 0 {
			first = heard
		} else if !slices.Equal(heard, first) {
			t.Errorf("member %d heard\n%v, member 0\n%v", i, heard, first)
		}
	}
}

func TestMemberIsToldWhoCameBeforeItWasShownTheMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs, ada, bob := pair(t)
		ctx, cancel := context.WithCancel(t.Context())
		told := make(chan *chatv1.JoinResponse, 2)
		ended := make(chan error, 1)
		go func() {
			ended <- rs.showMembers(ctx, ada, &sender{out: func(res *chatv1.JoinResponse) error {
				told <- res
				return nil
			}})
		}()
		if res := <-told; res.GetCame().GetName() != bob.name {
			t.Errorf("ada was told %v", res)
		}
		rs.remove(bob)
		if res := <-told; res.GetLeft().GetName() != bob.name {
			t.Errorf("ada was told %v", res)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		rs.remove(ada)
	})
}

func TestRoomsDoNotHearEachOther(t *testing.T) {
	url := alone(t)
	ada := join(t, url, "red", "ada")
	join(t, url, "blue", "ada") // a name is free in another room
	bob := join(t, url, "red", "bob")
	if ev := recv(t, ada); ev.GetCame().GetName() != "bob" {
		t.Errorf("got %v", ev)
	}
	send(t, bob, say("hello"))
	if ev := recv(t, ada); ev.GetSaid().GetText() != "hello" {
		t.Errorf("got %v", ev)
	}
}

func TestLeavingIsAnnouncedAndEmptyRoomsAreRemoved(t *testing.T) {
	service := NewService(newNode(t, nil))
	url := start(t, service)
	ada := join(t, url, "lobby", "ada")
	bob := join(t, url, "lobby", "bob")
	recv(t, ada) // bob came
	if err := bob.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if ev, err := bob.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("bob got %v, %v after it had left", ev, err)
	}
	if ev := recv(t, ada); ev.GetLeft().GetName() != "bob" {
		t.Errorf("got %v", ev)
	}
	carol := join(t, url, "lobby", "carol")
	recv(t, ada)  // carol came
	carol.Close() // without a word
	if ev := recv(t, ada); ev.GetLeft().GetName() != "carol" {
		t.Errorf("got %v", ev)
	}
	if err := ada.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := ada.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("ada's call ended with %v", err)
	}
	service.rooms.mu.Lock()
	defer service.rooms.mu.Unlock()
	if n, people := len(service.rooms.rooms), len(service.rooms.presents.rooms); n != 0 || people != 0 {
		t.Errorf("%d rooms are left, and members of %d", n, people)
	}
}

func TestMembersWhoBreakTheRulesAreRefused(t *testing.T) {
	url := alone(t)
	join(t, url, "lobby", "ada")
	cases := []struct {
		name  string
		sends []*chatv1.JoinRequest
		want  rpc.Code
	}{
		{"nothing", nil, rpc.CodeInvalidArgument},
		{"Say before Enter", []*chatv1.JoinRequest{say("hello")}, rpc.CodeInvalidArgument},
		{"no action", []*chatv1.JoinRequest{{}}, rpc.CodeInvalidArgument},
		{"no name", []*chatv1.JoinRequest{enter("lobby", "")}, rpc.CodeInvalidArgument},
		{"long room", []*chatv1.JoinRequest{enter(strings.Repeat("x", 65), "bob")}, rpc.CodeInvalidArgument},
		{"name that moves the cursor", []*chatv1.JoinRequest{enter("lobby", "bob\x1b[A")}, rpc.CodeInvalidArgument},
		{"name that looks like another", []*chatv1.JoinRequest{enter("lobby", "bo\u200db")}, rpc.CodeInvalidArgument},
		{"taken name", []*chatv1.JoinRequest{enter("lobby", "ada")}, rpc.CodeAlreadyExists},
		{"Enter twice", []*chatv1.JoinRequest{enter("lobby", "bob"), enter("red", "bob")}, rpc.CodeInvalidArgument},
		{"long line", []*chatv1.JoinRequest{enter("lobby", "bob"), say(strings.Repeat("x", 4097))}, rpc.CodeInvalidArgument},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			talk := open(t, url)
			for _, req := range c.sends {
				send(t, talk, req)
			}
			if err := talk.CloseSend(); err != nil && !errors.Is(err, c.want) {
				t.Fatal(err)
			}
			var err error
			for err == nil {
				_, err = talk.Recv()
			}
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestFullRoomsAdmitNoMember(t *testing.T) {
	s := NewService(newNode(t, nil))
	for n := range maxMembers {
		s.rooms.update(strconv.Itoa(n), cluster.NodeID{1}, map[string]string{presentKey("lobby", strconv.Itoa(n)): strconv.Itoa(n)})
	}
	if err := s.rooms.admit(newMember("", "one more"), "lobby"); !errors.Is(err, rpc.CodeResourceExhausted) {
		t.Errorf("got %v", err)
	}
}

func TestLinesCannotCommandTerminals(t *testing.T) {
	ada := join(t, alone(t), "lobby", "ada")
	send(t, ada, say("a\x1b[2Jb\nc\u202ed\u200de"))
	if ev := recv(t, ada); ev.GetSaid().GetText() != "a[2Jbcd\u200de" { // a joiner is part of the text
		t.Errorf("got %q", ev.GetSaid().GetText())
	}
}
