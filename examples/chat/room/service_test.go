package room

import (
	"errors"
	"io"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	chatv1 "github.com/parley-rpc/parley/gen/parley/chat/v1"
	"github.com/parley-rpc/parley/gen/parley/chat/v1/chatv1parley"
	"github.com/parley-rpc/parley/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type call = rpc.Duplex[chatv1.JoinRequest, chatv1.JoinResponse]

// start starts a server of s and returns its URL.
func start(t *testing.T, s *Service) (url string) {
	t.Helper()
	srv := rpc.NewServer()
	chatv1parley.RegisterChatServiceServer(srv, s)
	web := httptest.NewServer(srv)
	t.Cleanup(func() {
		srv.Close()
		web.Close()
	})
	return web.URL
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

func TestSlowMemberDelaysNoOtherAndLearnsWhatItMissed(t *testing.T) {
	const lines = 1500
	url := start(t, NewService())
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
			if ev := recv(t, member); ev.GetSaid().GetText() != text || ev.Missed != 0 {
				t.Fatalf("line %d: got %.100v", n, ev)
			}
		}
	}
	send(t, talker, say("last"))
	var got, missed int
	for { // what the windows of the connection held, then what the queue did
		ev := recv(t, slow)
		missed += int(ev.Missed)
		if ev.GetSaid().GetText() == "last" {
			break
		}
		n, err := strconv.Atoi(strings.TrimRight(ev.GetSaid().GetText(), "."))
		if err != nil || n != got+missed {
			t.Fatalf("after %d lines and %d missed: got %.100v", got, missed, ev)
		}
		got++
	}
	if missed == 0 || got+missed != lines {
		t.Errorf("got %d lines, missed %d, of %d", got, missed, lines)
	}
}

func TestAllMembersHearTheSameOrder(t *testing.T) {
	const members, lines = 3, 15
	url := start(t, NewService())
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
			said := recv(t, c).GetSaid()
			heard = append(heard, said.GetName()+" "+said.GetText())
		}
		if i == 0 {
			first = heard
		} else if !slices.Equal(heard, first) {
			t.Errorf("member %d heard\n%v, member 0\n%v", i, heard, first)
		}
	}
}

func TestRoomsDoNotHearEachOther(t *testing.T) {
	url := start(t, NewService())
	ada := join(t, url, "red", "ada")
	join(t, url, "blue", "ada") // a name is free in another room
	bob := join(t, url, "red", "bob")
	send(t, bob, say("hello"))
	if ev := recv(t, ada); ev.GetCame().GetName() != "bob" {
		t.Errorf("got %v", ev)
	}
	if ev := recv(t, ada); ev.GetSaid().GetText() != "hello" {
		t.Errorf("got %v", ev)
	}
}

func TestLeavingIsAnnouncedAndEmptyRoomsAreRemoved(t *testing.T) {
	service := NewService()
	url := start(t, service)
	ada := join(t, url, "lobby", "ada")
	bob := join(t, url, "lobby", "bob")
	if err := bob.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if ev, err := bob.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("bob got %v, %v after it had left", ev, err)
	}
	recv(t, ada) // bob came
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
	if n := len(service.rooms.rooms); n != 0 {
		t.Errorf("%d rooms are left", n)
	}
}

func TestMembersWhoBreakTheRulesAreRefused(t *testing.T) {
	url := start(t, NewService())
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
	rs := rooms{rooms: make(map[string]*room)}
	for n := range maxMembers {
		if _, _, err := rs.enter("lobby", strconv.Itoa(n)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := rs.enter("lobby", "one more"); !errors.Is(err, rpc.CodeResourceExhausted) {
		t.Errorf("got %v", err)
	}
}

func TestLinesCannotCommandTerminals(t *testing.T) {
	ada := join(t, start(t, NewService()), "lobby", "ada")
	send(t, ada, say("a\x1b[2Jb\nc\u202ed\u200de"))
	if ev := recv(t, ada); ev.GetSaid().GetText() != "a[2Jbcd\u200de" { // a joiner is part of the text
		t.Errorf("got %q", ev.GetSaid().GetText())
	}
}
