package transport_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// breach is a fault of a peer that costs it one stream and nothing else. The
// rows are those of section 14 of PROTOCOL.md.
type breach struct {
	row  string
	what string
	send []byte
	code transport.ResetCode
}

func concat(frames ...[]byte) (all []byte) {
	for _, f := range frames {
		all = append(all, f...)
	}
	return all
}

var marked = raw(frame.TypeData, frame.FlagMark, 1, "marked")

// byOpener are faults of a peer on stream 1, which it has opened.
var byOpener = []breach{
	{"S5", "DATA after DATA with END", concat(dataEnd(1, "x"), data(1, "y")), transport.ResetProtocol},
	{"S5", "DATA after END", concat(end(1, ""), data(1, "y")), transport.ResetProtocol},
	{"S7", "END after DATA with END", concat(dataEnd(1, "x"), end(1, "")), transport.ResetProtocol},
	{"S7", "END twice", concat(end(1, ""), end(1, "")), transport.ResetProtocol},
	{"S8", "HEADER from the opener", header(1, "x"), transport.ResetProtocol},
	{"S10", "END inside a message", concat(dataMore(1, "x"), end(1, "")), transport.ResetProtocol},
	{"S11", "MARK that appears inside a message", concat(dataMore(1, "x"), marked), transport.ResetProtocol},
	{"S12", "END above max_header", end(1, strings.Repeat("x", 5000)), transport.ResetLimit},
	{"S12 before S8", "HEADER above max_header from the opener", header(1, strings.Repeat("x", 5000)), transport.ResetLimit},
	{"S13", "a message above max_message", pieces(1, 5, 16<<10), transport.ResetLimit},
}

// byAcceptor are faults of a peer on stream 1, which it has accepted.
var byAcceptor = []breach{
	{"S5", "DATA after END", concat(end(1, "bye"), data(1, "y")), transport.ResetProtocol},
	{"S6", "HEADER twice", concat(header(1, "a"), header(1, "b")), transport.ResetProtocol},
	{"S6", "HEADER after DATA", concat(data(1, "x"), header(1, "b")), transport.ResetProtocol},
	{"S6", "HEADER inside a message", concat(dataMore(1, "x"), header(1, "b")), transport.ResetProtocol},
	{"S6", "HEADER after END", concat(end(1, ""), header(1, "b")), transport.ResetProtocol},
	{"S7", "END twice", concat(end(1, ""), end(1, "")), transport.ResetProtocol},
	{"S10", "END inside a message", concat(dataMore(1, "x"), end(1, "trailer")), transport.ResetProtocol},
	{"S11", "MARK that vanishes inside a message", concat(raw(frame.TypeData, frame.FlagMark|frame.FlagMore, 1, "x"), data(1, "y")), transport.ResetProtocol},
	{"S12", "HEADER above max_header", header(1, strings.Repeat("x", 5000)), transport.ResetLimit},
	{"S12", "END above max_header", end(1, strings.Repeat("x", 5000)), transport.ResetLimit},
}

// pieces returns n pieces of size bytes of one unfinished message.
func pieces(id uint64, n, size int) (all []byte) {
	for range n {
		all = append(all, dataMore(id, strings.Repeat("x", size))...)
	}
	return all
}

// smallest is a configuration with limits that are easy to exceed.
var smallest = transport.Config{Parameters: transport.Parameters{MaxStreams: 16, MaxMessage: 64 << 10, MaxHeader: 4 << 10, MaxFrame: 16 << 10, InitialWindow: 128 << 10, MaxWindow: 128 << 10}}

func TestBreachByTheOpenerCostsOnlyItsStream(t *testing.T) {
	for _, b := range byOpener {
		t.Run(b.row+" "+b.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := connectSession(t, transport.Acceptor, smallest, frame.Hello{})
				p.send(open(1, ""), open(3, ""))
				st, other := mustAccept(t, s), mustAccept(t, s)
				for off := 0; off < len(b.send); {
					h, n, err := frame.ParseHeader(b.send[off:])
					if err != nil {
						t.Fatal(err)
					}
					next := off + n + int(h.Length)
					p.send(b.send[off:next])
					off = next
				}
				p.wants(fmt.Sprintf("RESET 1 %v", b.code))
				wantReset(t, st.Send(t.Context(), nil, transport.SendOptions{}), transport.ResetError{Code: b.code})
				p.send(data(1, "into the void"), data(3, "still here"))
				if got := mustRecv(t, other); got != "still here" {
					t.Errorf("the other stream got %q", got)
				}
				p.wantsLife()
			})
		})
	}
}

func TestBreachByTheAcceptingEndCostsOnlyItsStream(t *testing.T) {
	for _, b := range byAcceptor {
		t.Run(b.row+" "+b.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := connectSession(t, transport.Dialer, smallest, frame.Hello{})
				st, other := mustOpen(t, s), mustOpen(t, s)
				p.wants(`OPEN 1 ""`, `OPEN 3 ""`)
				p.send(b.send)
				p.wants(fmt.Sprintf("RESET 1 %v", b.code))
				wantReset(t, st.Send(t.Context(), nil, transport.SendOptions{}), transport.ResetError{Code: b.code})
				p.send(data(1, "into the void"), data(3, "still here"))
				if got := mustRecv(t, other); got != "still here" {
					t.Errorf("the other stream got %q", got)
				}
				p.wantsLife()
			})
		})
	}
}

func TestBreachAfterTheEndLeavesWhatCameBeforeTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		p.send(open(1, ""), data(1, "one"), dataEnd(1, "two"), data(1, "three"))
		st := mustAccept(t, s)
		p.wants("RESET 1 protocol")
		if a, b := mustRecv(t, st), mustRecv(t, st); a != "one" || b != "two" {
			t.Errorf("got %q, %q", a, b)
		}
		wantEnd(t, st)
	})
}

func TestFramesOfClosedAndSkippedStreamsAreDroppedInSilence(t *testing.T) {
	late := map[string][]byte{ // S4
		"HEADER": header(9, "x"), "DATA": data(9, "x"), "END": end(9, "x"), "RESET": reset(9, 1), "WINDOW": window(9, 1<<20),
		"DATA beyond any credit":   concat(data(9, strings.Repeat("x", 16<<10)), data(9, strings.Repeat("x", 16<<10))),
		"END above max_header":     end(9, strings.Repeat("x", 8<<10)),
		"DATA with END, and again": concat(dataEnd(9, "x"), dataEnd(9, "x")),
	}
	closed := map[string]func(*testing.T, *transport.Session, *peer){
		"skipped": func(_ *testing.T, _ *transport.Session, p *peer) { p.send(open(11, "")) },
		"reset by the peer": func(_ *testing.T, _ *transport.Session, p *peer) {
			p.send(open(9, ""), reset(9, 1))
		},
		"reset by this end": func(t *testing.T, s *transport.Session, p *peer) {
			p.send(open(9, ""))
			mustAccept(t, s).Reset(transport.ResetInternal, "")
			p.wants("RESET 9 internal")
		},
		"ended by both": func(t *testing.T, s *transport.Session, p *peer) {
			p.send(openEnd(9))
			mustCloseSend(t, mustAccept(t, s), "")
			p.wants(`END 9 ""`)
		},
		"refused": func(_ *testing.T, _ *transport.Session, p *peer) {
			p.send(open(9, strings.Repeat("x", 5000)))
			p.wants("RESET 9 limit")
		},
	}
	for how, do := range closed {
		for what, frames := range late {
			t.Run(what+" when "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, p := connectSession(t, transport.Acceptor, smallest, frame.Hello{})
					do(t, s, p)
					p.send(frames)
					p.wantsLife()
				})
			})
		}
	}
}

func TestTrailerOfTheOpenerIsTheApplicationsBusiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // S9
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		p.send(open(1, ""), end(1, "over"))
		st := mustAccept(t, s)
		wantEnd(t, st)
		if trailer, ended := st.Trailer(); string(trailer) != "over" || !ended {
			t.Errorf("trailer %q, ended %v", trailer, ended)
		}
		p.wantsLife()
	})
}

func TestHeaderOverTheLimitNeverReachesAnApplication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // S12
		s, p := connectSession(t, transport.Acceptor, smallest, frame.Hello{})
		p.send(open(1, strings.Repeat("x", 4<<10+1)), open(3, strings.Repeat("x", 4<<10)))
		p.wants("RESET 1 limit")
		if id := mustAccept(t, s).ID(); id != 3 {
			t.Errorf("stream %d was accepted", id)
		}
		p.send(open(1, "")) // its id counts as used
		p.wantsClose(malformed)
	})
}

func TestStreamOverMaxStreamsIsRefusedAndTheOthersLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // S14
		s, p := connectSession(t, transport.Acceptor, smallest, frame.Hello{})
		for i := range 17 {
			p.send(open(uint64(2*i+1), fmt.Sprint(i)))
		}
		p.wants("RESET 33 refused")
		for i := range 16 {
			st := mustAccept(t, s)
			if string(st.OpenHeader()) != fmt.Sprint(i) {
				t.Fatalf("stream %d was accepted as the %dth", st.ID(), i+1)
			}
			p.send(data(st.ID(), "hello"))
			if got := mustRecv(t, st); got != "hello" {
				t.Errorf("got %q", got)
			}
		}
		p.send(reset(7, 1), open(35, "after one has gone"))
		if st := mustAccept(t, s); st.ID() != 35 {
			t.Errorf("stream %d was accepted", st.ID())
		}
		p.wantsLife()
	})
}

func TestUnassignedResetCodeIsReadAsInternal(t *testing.T) {
	for code, want := range map[uint64]transport.ResetCode{ // S17
		5: transport.ResetInternal, 6: transport.ResetInternal, 255: transport.ResetInternal,
		256: transport.ResetApplication, 300: 300, 1: transport.ResetCancel,
	} {
		synctest.Test(t, func(t *testing.T) {
			s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
			st := mustOpen(t, s)
			p.send(reset(1, code))
			wantReset(t, recvErr(t, st), transport.ResetError{Code: want, Remote: true})
		})
	}
}
