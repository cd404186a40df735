package rpc_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// resetStatus is the table of section 12.2: RESET codes and the status of
// calls.
func resetStatus() map[uint64]rpc.Code {
	table := map[uint64]rpc.Code{
		1: rpc.CodeCanceled, 2: rpc.CodeUnavailable, 3: rpc.CodeResourceExhausted, 4: rpc.CodeInternal, 5: rpc.CodeInternal,
		6: rpc.CodeInternal, 7: rpc.CodeInternal, 100: rpc.CodeInternal, 255: rpc.CodeInternal,
		256: rpc.CodeUnknown, 256 + 17: rpc.CodeUnknown, 256 + 1000: rpc.CodeUnknown, frame.MaxVarint: rpc.CodeUnknown,
	}
	for _, code := range codes() {
		table[256+uint64(code)] = code
	}
	return table
}

// closeStatus is the column "callers see" of the table of close codes.
func closeStatus() map[transport.CloseCode]rpc.Code {
	table := map[transport.CloseCode]rpc.Code{
		1000: rpc.CodeCanceled, 1001: rpc.CodeUnavailable, 1002: rpc.CodeInternal, 1003: rpc.CodeInternal,
		1004: rpc.CodeUnavailable, 1005: rpc.CodeUnavailable, 1006: rpc.CodeUnavailable, 1007: rpc.CodeInternal,
		1008: rpc.CodePermissionDenied, 1009: rpc.CodeResourceExhausted, 1010: rpc.CodeUnimplemented, 1011: rpc.CodeInternal,
		1012: rpc.CodeUnavailable, 1013: rpc.CodeUnavailable, 1014: rpc.CodeUnavailable, 1015: rpc.CodeUnavailable,
		1016: rpc.CodeUnavailable, 2999: rpc.CodeUnavailable, 3000: rpc.CodeUnavailable, 3999: rpc.CodeUnavailable,
		4000: rpc.CodeCanceled, 4017: rpc.CodeUnavailable, 4099: rpc.CodeUnavailable, 4100: rpc.CodeUnavailable,
		4116: rpc.CodeUnavailable, 4999: rpc.CodeUnavailable,
	}
	for _, code := range codes() {
		table[4000+transport.CloseCode(code)] = code
	}
	for m := transport.CloseCode(1); m <= 15; m++ {
		table[4100+m] = table[1000+m]
	}
	return table
}

func TestAResetIsTheStatusOfItsCallAlone(t *testing.T) {
	client := rpc.NewClient("ws://in.memory")
	p := callRaw(t, client)
	other, err := client.Open(t.Context(), bidi)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	otherID, _ := p.wantOpen()
	for code, want := range resetStatus() {
		for _, m := range kinds {
			call := start(func() ([]string, error) { return converse(t.Context(), client, m, []string{"a"}) })
			id := p.takeCall()
			p.write(resetFrame(id, transport.ResetCode(code), "because"))
			got := <-call
			wantError(t, got.err, want)
			if !strings.Contains(got.err.Error(), "because") {
				t.Errorf("RESET %d: %v does not say why", code, got.err)
			}
			var reset *transport.ResetError
			if !errors.As(got.err, &reset) || !reset.Remote {
				t.Errorf("RESET %d: %v hides that the peer has reset the stream", code, got.err)
			}
		}
	}
	p.write(dataFrame(otherID, 0, encoded(t, "alive")))
	msg := new(wrapperspb.StringValue)
	if err := other.Recv(msg); err != nil || msg.Value != "alive" {
		t.Fatalf("the other call got %v, %v", msg, err)
	}
}

func TestACloseCodeIsTheStatusOfAllCallsAtBothEnds(t *testing.T) {
	for code, want := range closeStatus() {
		for side, connected := range map[string]func(t *testing.T, hook rpc.Option) (rpc.Caller, *raw){
			"dialer": func(t *testing.T, hook rpc.Option) (rpc.Caller, *raw) {
				client := rpc.NewClient("ws://in.memory", hook)
				p := callRaw(t, client)
				conn, err := client.Connect(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return conn, p
			},
			"acceptor": func(t *testing.T, hook rpc.Option) (rpc.Caller, *raw) {
				connected := make(chan *rpc.Conn, 1)
				p := serveRaw(t, rpc.NewServer(hook, rpc.OnConnect(func(c *rpc.Conn) { connected <- c })))
				return <-connected, p
			},
		} {
			t.Run(fmt.Sprintf("%d at the %s", code, side), func(t *testing.T) {
				gone := make(chan error, 1)
				caller, p := connected(t, rpc.OnDisconnect(func(_ *rpc.Conn, err error) { gone <- err }))
				var calls []<-chan outcome
				for _, m := range kinds {
					calls = append(calls, start(func() ([]string, error) { return converse(t.Context(), caller, m, []string{"a"}) }))
					p.takeCall()
				}
				p.peer.Fail(&transport.CloseError{Code: code, Reason: "because", Remote: true})
				for _, call := range calls {
					got := <-call
					wantError(t, got.err, want)
					if !strings.Contains(got.err.Error(), "because") {
						t.Errorf("%v does not say why", got.err)
					}
				}
				err := <-gone
				wantError(t, err, want)
				wantError(t, caller.(*rpc.Conn).Err(), want)
				var closed *transport.CloseError
				if !errors.As(err, &closed) || !closed.Remote {
					t.Errorf("the error wraps %v", closed)
				}
			})
		}
	}
}

// TestWhatHasArrivedIsReceivedThoughTheLinkIsLost loses the link before the
// application receives.
func TestWhatHasArrivedIsReceivedThoughTheLinkIsLost(t *testing.T) {
	for _, m := range []*rpc.Method{download, bidi} {
		client := rpc.NewClient("ws://in.memory")
		p := callRaw(t, client)
		conn, err := client.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s, err := conn.Open(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		id, _ := p.wantOpen()
		p.write(dataFrame(id, 0, encoded(t, "a")), dataFrame(id, 0, encoded(t, "b")))
		if err := p.link.Close(transport.CloseGoingAway, ""); err != nil {
			t.Fatal(err)
		}
		<-conn.Done()
		got, err := recvAll(s)
		wantError(t, err, rpc.CodeUnavailable)
		if !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("%s: got %q", m.Service, got)
		}
	}
}

func TestAGoAwayWithAStatusCountsMoreThanTheCloseCode(t *testing.T) {
	for _, code := range codes() {
		client := rpc.NewClient("ws://in.memory")
		p := callRaw(t, client)
		call := start(func() ([]string, error) { return converse(t.Context(), client, bidi, []string{"a"}) })
		id := p.takeCall()
		away := frame.GoAway{LastStream: id, Status: uint64(code), Reason: "quota used up"}
		p.write(away.Append(nil))
		if err := p.link.Close(transport.CloseGoingAway, "closing"); err != nil {
			t.Fatal(err)
		}
		got := <-call
		wantError(t, got.err, code)
		if !strings.Contains(got.err.Error(), "quota used up") {
			t.Errorf("%v does not say why", got.err)
		}
	}
}

func TestAGoAwayWithoutAStatusLeavesTheCloseCode(t *testing.T) {
	client := rpc.NewClient("ws://in.memory")
	p := callRaw(t, client)
	call := start(func() ([]string, error) { return converse(t.Context(), client, bidi, []string{"a"}) })
	away := frame.GoAway{LastStream: p.takeCall()}
	p.write(away.Append(nil))
	if err := p.link.Close(transport.ClosePolicyViolation, ""); err != nil {
		t.Fatal(err)
	}
	got := <-call
	wantError(t, got.err, rpc.CodePermissionDenied)
}

// TestADrainFailsOnlyTheCallsThatAreNotServed has a peer that announces the
// last stream that it serves.
func TestADrainFailsOnlyTheCallsThatAreNotServed(t *testing.T) {
	client := rpc.NewClient("ws://in.memory")
	p := callRaw(t, client)
	conn, err := client.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	served := start(func() ([]string, error) { return converse(t.Context(), conn, unary, []string{"a"}) })
	id := p.takeCall()
	refused := start(func() ([]string, error) { return converse(t.Context(), conn, unary, []string{"b"}) })
	p.takeCall()
	away := frame.GoAway{LastStream: id, Reason: "deploy"}
	p.write(away.Append(nil))
	got := <-refused
	wantError(t, got.err, rpc.CodeUnavailable)
	_, err = conn.Open(t.Context(), unary)
	wantError(t, err, rpc.CodeUnavailable)
	p.write(dataFrame(id, frame.FlagEnd, encoded(t, "answer")))
	if got := <-served; got.err != nil || got.texts[0] != "answer" {
		t.Fatalf("%q, %v", got.texts, got.err)
	}
}
