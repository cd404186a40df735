package rpc_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// Each limit of docs/limits.md for a connection: a call that exceeds it gets
// the stated status, and other calls are not affected.

const exhausted = transport.CloseRefusal + 8

// tight is limits that are reached soon.
var tight = transport.Parameters{
	MaxStreams: 16, MaxMessage: 64 << 10, MaxHeader: 4 << 10, MaxFrame: 16 << 10, InitialWindow: 16 << 10, MaxWindow: 16 << 10,
	MaxResets: 100, MaxPings: 100,
}

// crowd is a server with tight limits and two clients. A raw one exceeds a
// limit, and has another call that keeps to the limits. The other client keeps
// to them too.
type crowd struct {
	*raw
	srv   *rpc.Server
	other *rpc.Client
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	p := newPair(t, []rpc.ServerOption{rpc.WithTransport(tight)}, nil, func(srv *rpc.Server) {
		registerAll(srv, echo)
		register(srv, asleep, func(ctx context.Context, _ rpc.Stream) error {
			<-ctx.Done()
			return ctx.Err()
		})
	})
	c := &crowd{raw: serveRaw(t, p.srv), srv: p.srv, other: p.client}
	c.write(openFrame(1, block(methodField(bidi))))
	c.wantGoodCall()
	c.wantGoodConnection()
	return c
}

// asleep has a handler that does not read.
var asleep = &rpc.Method{Service: "test.Asleep", Name: "Call", ClientStreams: true, ServerStreams: true}

// wantGoodCall checks that the call that keeps to the limits goes on.
func (c *crowd) wantGoodCall() {
	c.t.Helper()
	c.write(dataFrame(1, 0, encoded(c.t, "as before")))
	if f := c.want(frame.TypeData, 1); !bytes.Equal(f.payload, encoded(c.t, "as before")) {
		c.t.Errorf("got %q", f.payload)
	}
}

// wantGoodConnection checks that the other client's connection works.
func (c *crowd) wantGoodConnection() {
	c.t.Helper()
	if got, err := converse(c.t.Context(), c.other, unary, []string{"hello"}); err != nil || got[0] != "hello" {
		c.t.Errorf("the other client: %q, %v", got, err)
	}
}

func TestCallOverALimitGetsItsStatusAndNoOtherNotices(t *testing.T) {
	piece := make([]byte, 8<<10)
	for _, c := range []struct {
		name string
		over func(c *crowd)
	}{
		{"MaxMessage", func(c *crowd) {
			c.write(openFrame(3, block(methodField(bidi))))
			for range 8 {
				c.write(dataFrame(3, frame.FlagMore, piece))
				synctest.Wait() // the handler receives the pieces
			}
			c.write(dataFrame(3, 0, []byte("x")))
			c.wantReset(3, transport.ResetLimit)
		}},
		{"MaxMessage of what is inflated", func(c *crowd) {
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			_, _ = w.Write(make([]byte, 10<<20))
			_ = w.Close()
			c.write(openFrame(3, block(methodField(bidi), bytesField(5, "gzip"))))
			for rest := b.Bytes(); len(rest) > 0; {
				n := min(len(rest), len(piece))
				more := frame.FlagMore
				if n == len(rest) {
					more = 0
				}
				c.write(dataFrame(3, frame.FlagMark|more, rest[:n]))
				rest = rest[n:]
				synctest.Wait()
			}
			c.want(frame.TypeHeader, 3)
			c.wantStatus(3, rpc.CodeResourceExhausted)
			c.wantReset(3, transport.ResetCancel) // of the other direction
		}},
		{"MaxHeader", func(c *crowd) {
			c.write(openFrame(3, block(methodField(bidi), metadataField("key", strings.Repeat("x", 4<<10)))))
			c.wantReset(3, transport.ResetLimit)
		}},
		{"pairs of metadata", func(c *crowd) { // R20
			c.write(openFrame(3, block(methodField(bidi), pairs(256))))
			c.write(openFrame(5, block(methodField(bidi), tooManyPairs())))
			c.wantReset(5, transport.ResetLimit)
			c.write(dataFrame(3, 0, encoded(c.t, "served")))
			c.want(frame.TypeData, 3)
		}},
		{"MaxStreams", func(c *crowd) {
			for id := uint64(3); id <= 31; id += 2 {
				c.write(openFrame(id, block(methodField(asleep))))
			}
			c.write(openFrame(33, block(methodField(asleep))))
			c.wantReset(33, transport.ResetRefused)
		}},
		{"InitialWindow", func(c *crowd) {
			c.write(openFrame(3, block(methodField(asleep))))
			c.write(dataFrame(3, frame.FlagMore, piece), dataFrame(3, frame.FlagMore, piece[:8<<10-63]))
			c.wantReset(3, transport.ResetProtocol)
		}},
		{"the deadline", func(c *crowd) {
			c.write(openFrame(3, block(methodField(asleep), uintField(4, 2_000_000))))
			c.wantStatus(3, rpc.CodeDeadlineExceeded)
			c.wantReset(3, transport.ResetCancel) // of the other direction
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				crowd := newCrowd(t)
				c.over(crowd)
				crowd.wantGoodCall()
				crowd.wantGoodConnection()
			})
		})
	}
}

func TestConnectionOverALimitIsClosedAndNoOtherNotices(t *testing.T) {
	for _, c := range []struct {
		name string
		over func(c *crowd)
		code transport.CloseCode
	}{
		{"MaxFrame", func(c *crowd) { c.write(dataFrame(1, 0, make([]byte, 16<<10+1))) }, transport.CloseMessageTooBig},
		{"MaxPings", func(c *crowd) {
			for range 1001 {
				c.write(frame.Append(nil, frame.Header{Type: frame.TypePing}, make([]byte, frame.PingLen)))
			}
		}, exhausted},
		{"MaxResets", func(c *crowd) {
			for i := range uint64(1001) {
				c.write(openFrame(2*i+3, block(methodField(asleep))), resetFrame(2*i+3, transport.ResetCancel, ""))
			}
		}, exhausted},
		{"MaxResets, opened over MaxStreams", func(c *crowd) {
			for i := range uint64(15 + 1001) {
				c.write(openFrame(2*i+3, block(methodField(asleep))))
			}
		}, exhausted},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				crowd := newCrowd(t)
				c.over(crowd)
				crowd.wantClosed(c.code)
				crowd.wantGoodConnection()
			})
		})
	}
}

// wantClosed reads until the end of the link, and checks it.
func (c *crowd) wantClosed(code transport.CloseCode) {
	c.t.Helper()
	for {
		if _, err := c.read(); err != nil {
			c.wantCloseError(err, code)
			return
		}
	}
}

func TestPeerWithoutHelloInTimeIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		late := linkSilent(t, c.srv, pipe.Config{})
		began := time.Now()
		_, err := late.read()
		c.wantCloseError(err, transport.CloseProtocolError)
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("it took %v", took)
		}
		c.wantGoodCall()
		c.wantGoodConnection()
	})
}

func TestPeerThatDoesNotReadIsLostAfterTheWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		cfg := tight
		cfg.WriteTimeout = 12 * time.Second
		p := newPair(t, append(asServerOptions(d.options()), rpc.WithTransport(cfg), rpc.WithoutResumption()), nil, func(srv *rpc.Server) {
			registerAll(srv, echo)
		})
		slow := linkSilent(t, p.srv, pipe.Config{Capacity: 1})
		slow.hello()
		slow.write(openFrame(1, block(methodField(bidi))))
		slow.link.Stall()
		began := time.Now()
		for range 4 { // it goes on sending, and does not read the responses
			slow.write(dataFrame(1, 0, encoded(t, strings.Repeat("x", 3<<10))))
			synctest.Wait()
		}
		stop := slow.stayAlive()
		defer stop()
		d.wants(t, "connected", "connected", "gap UNAVAILABLE", "disconnected UNAVAILABLE")
		if took := time.Since(began); took < 12*time.Second || took > 20*time.Second {
			t.Errorf("it took %v", took)
		}
		if got, err := converse(t.Context(), p.client, unary, []string{"hello"}); err != nil || got[0] != "hello" {
			t.Errorf("the other client: %q, %v", got, err)
		}
	})
}
