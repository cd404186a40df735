package rpc_test

import (
	"fmt"
	"testing"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
)

func TestTheSecondCallNamesTheAlias(t *testing.T) {
	client := rpc.NewClient("ws://in.memory")
	p := callRaw(t, client)
	given := map[*rpc.Method]uint64{unary: 7, download: 8, upload: 1, bidi: frame.MaxVarint}
	for round := range 3 {
		for _, m := range kinds {
			call := start(func() ([]string, error) { return converse(t.Context(), client, m, []string{"a"}) })
			id, open := p.wantOpen()
			if round == 0 && (open.Method != m.Path() || open.Alias != 0) || round > 0 && (open.Method != "" || open.Alias != given[m]) {
				t.Errorf("call %d of %s names %q, alias %d", round, m.Path(), open.Method, open.Alias)
			}
			// The alias is valid although the call fails.
			p.write(endFrame(id, block(uintField(2, 5), uintField(6, given[m]))))
			got := <-call
			wantError(t, got.err, rpc.CodeNotFound)
		}
	}
}

func TestAliasesBelongToTheirConnection(t *testing.T) {
	client := rpc.NewClient("ws://in.memory")
	for range 2 {
		p := callRaw(t, client)
		for range 2 {
			call := start(func() ([]string, error) { return converse(t.Context(), client, unary, []string{"a"}) })
			id, open := p.wantOpen()
			if want := map[uint64]string{1: unary.Path()}[id]; open.Method != want {
				t.Errorf("stream %d names %q, alias %d", id, open.Method, open.Alias)
			}
			p.write(dataFrame(id, 0, encoded(t, "b")), endFrame(id, uintField(6, 3)))
			if got := <-call; got.err != nil {
				t.Fatal(got.err)
			}
		}
		p.link.Cut()
	}
}

func TestAServerGivesEachMethodOneAlias(t *testing.T) {
	srv := rpc.NewServer()
	registerAll(srv, echo)
	for range 2 { // the same on each connection
		p := serveRaw(t, srv)
		seen := make(map[uint64]*rpc.Method)
		id := uint64(1)
		call := func(fields []byte) rpc.EndFields {
			p.write(openFrame(id, fields), dataFrame(id, frame.FlagEnd, encoded(t, "a")))
			f := p.skipTo(frame.TypeData, id)
			id += 2
			if f.Flags&frame.FlagEnd != 0 {
				return rpc.EndFields{}
			}
			return p.wantEnd(id - 2)
		}
		for _, m := range kinds {
			first, second := call(methodField(m)), call(methodField(m))
			if first.Alias == 0 || first.Alias != second.Alias || seen[first.Alias] != nil {
				t.Fatalf("%s has the aliases %d and %d", m.Path(), first.Alias, second.Alias)
			}
			seen[first.Alias] = m
		}
		for alias := range seen {
			if end := call(uintField(2, alias)); end.Code != rpc.CodeOK || end.Alias != 0 {
				t.Fatalf("a call by alias %d ends with %v and alias %d", alias, end.Status, end.Alias)
			}
		}
	}
}

// TestAFailingHandlerGivesItsAliasToo also checks that a method that does not
// exist gets none.
func TestAFailingHandlerGivesItsAliasToo(t *testing.T) {
	srv := rpc.NewServer()
	register(srv, bidi, failing(rpc.CodeNotFound))
	p := serveRaw(t, srv)
	p.write(openFrame(1, methodField(unary)))
	if end := p.wantEnd(1); end.Alias != 0 || end.Code != rpc.CodeUnimplemented {
		t.Fatalf("%v, alias %d", end.Status, end.Alias)
	}
	p.write(openFrame(3, methodField(bidi)))
	f := p.skipTo(frame.TypeEnd, 3)
	end, err := rpc.ParseEnd(f.payload)
	if err != nil || end.Alias == 0 || end.Code != rpc.CodeNotFound {
		t.Fatalf("%v, alias %d, %v", end.Status, end.Alias, err)
	}
}

// TestAliasThatWasNotGivenOnTheConnectionIsRefused tries numbers. The numbers
// of existing methods get the same response as others, even if another
// connection was given them.
func TestAliasThatWasNotGivenOnTheConnectionIsRefused(t *testing.T) {
	srv := rpc.NewServer()
	registerAll(srv, echo)
	first, second := serveRaw(t, srv), serveRaw(t, srv)
	call := func(p *raw, id uint64, fields []byte) rpc.EndFields {
		t.Helper()
		p.write(openFrame(id, fields), dataFrame(id, 0, encoded(t, "a")), endFrame(id, nil))
		end, err := rpc.ParseEnd(p.skipTo(frame.TypeEnd, id).payload)
		if err != nil {
			t.Fatal(err)
		}
		return end
	}
	given := call(first, 1, methodField(bidi)).Alias
	if given == 0 {
		t.Fatal("no alias was given")
	}
	id := uint64(1)
	for alias := range uint64(200) {
		alias++
		id += 2
		end := call(second, id, uintField(2, alias))
		want := fmt.Sprintf("unknown method alias %d: name the method", alias)
		if end.Code != rpc.CodeInternal || end.Status.Message() != want || end.Alias != 0 {
			t.Fatalf("alias %d: %v, alias %d", alias, end.Status, end.Alias)
		}
		if end := call(first, id, uintField(2, alias)); (end.Code == rpc.CodeOK) != (alias == given) {
			t.Fatalf("alias %d where %d was given: %v", alias, given, end.Status)
		}
	}
}
