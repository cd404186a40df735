package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
)

// private is a unary method whose handler has no stream.
var private = &rpc.Method{Service: "test.Private", Name: "Call", Idempotency: rpc.Idempotent}

// FuzzExchangesAndStreamsLookTheSame makes the same unary calls twice: as
// exchanges, and on streams from the beginning. An application sees the same.
func FuzzExchangesAndStreamsLookTheSame(f *testing.F) {
	for _, script := range [][]byte{
		{},
		{0, 0, 1, 'e', 0, 1, 1, 'e'},
		{3, 0, 2, 'a', 'e', 1, 4, 2, 'c', 'e', 2, 0, 1, 'f'},
		{0, 0xff, 3, 'j', 'a', 'e', 1, 0x10, 2, 'i', 'e', 1, 0x20, 1, 'i'},
		{6, 0x08, 1, 'n', 0, 0x40, 1, 'd', 1, 0x02, 2, 'g', 'e', 1, 0, 1, 'k'},
		{9, 1, 2, 'b', 'e', 1, 0x80, 2, 'm', 'e', 0, 0, 1, 'h', 1, 0, 4, 'j', 'j', 'l', 'e'},
		{0x14, 0, 3, 'j', 'j', 'e', 1, 0, 2, 'j', 'e', 1, 0, 1, 'e'},
		{0x24, 0, 3, 'j', 'j', 'e', 1, 0, 2, 'j', 'e', 1, 0, 1, 'e'},
		{0x45, 0x11, 3, 'a', 'l', 'e', 1, 0x93, 1, 'l', 0, 0x81, 1, 'i', 1, 0x11, 1, 'f'},
		{0x4f, 0, 3, 'c', 'n', 'n', 1, 0xd3, 2, 'i', 'e', 0, 0x21, 2, 'j', 'e', 1, 1, 0},
	} {
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 64 {
			return
		}
		var seen [2][]string
		synctest.Test(t, func(t *testing.T) { seen[0] = newConversations(t, script, false).run() })
		synctest.Test(t, func(t *testing.T) { seen[1] = newConversations(t, script, true).run() })
		if !slices.Equal(seen[0], seen[1]) {
			t.Errorf("exchanges:\n%s\nstreams:\n%s", strings.Join(seen[0], "\n"), strings.Join(seen[1], "\n"))
		}
	})
}

// conversations are the calls of a script. Its first byte is about all of them.
// Each call has a byte for its kind, one for its options, and steps for its
// handler.
type conversations struct {
	t       *testing.T
	p       *pair
	caller  rpc.Caller
	streams bool
	config  byte
	calls   []scriptedCall
	logs    []*record // of each call
	served  []*record // of the handler of each call

	mu   sync.Mutex
	kept []rpc.Stream
}

type scriptedCall struct {
	method  *rpc.Method
	options byte
	steps   string
}

// Bits of the byte about all calls: the interceptors, and what ends them.
const (
	interceptsCalls = 1 << iota
	wrapsStreams
	interceptsHandlers
	inTurn
	endsServer
	drainsServer
	keepsStreams // that interceptors of calls see
)

// Bits of a call's options.
const (
	withMetadata = 1 << iota
	withReading
	withJSON
	withGzip
	withTimeout
	withCancel
	withLargeRequest
	withDeadline
)

// outOfTime stands for how a call with a deadline ended when its time ran out.
// Both ends count down the same deadline. At that instant it depends on which is
// first whether the handler sees that its time is up or that the caller has gone,
// and whether the caller still sees the handler's header and trailer.
const outOfTime = "the time ran out"

func (c *scriptedCall) ranOut(err error) bool {
	code := rpc.CodeOf(err)
	return c.options&(withTimeout|withDeadline) != 0 && (code == rpc.CodeDeadlineExceeded || code == rpc.CodeCanceled)
}

func newConversations(t *testing.T, script []byte, streams bool) *conversations {
	c := &conversations{t: t, streams: streams}
	if len(script) > 0 {
		c.config, script = script[0], script[1:]
	}
	for len(script) >= 3 {
		call := scriptedCall{method: unary, options: script[1]}
		if script[0]&1 != 0 {
			call.method = private
		}
		n := min(int(script[2]%8), len(script)-3)
		for _, step := range script[3 : 3+n] {
			call.steps += string(rune('a' + (step-'a')%('n'-'a'+1)))
		}
		script = script[3+n:]
		c.calls = append(c.calls, call)
		c.logs, c.served = append(c.logs, new(record)), append(c.served, new(record))
	}
	return c
}

// open is a Caller of which package rpc knows nothing: its calls are opened
// first and their message is sent then.
type open struct{ rpc.Caller }

func (c *conversations) run() []string {
	var server []rpc.ServerOption
	client := []rpc.ClientOption{rpc.WithLogger(slog.New(slog.DiscardHandler))}
	if c.config&interceptsHandlers != 0 {
		server = append(server, rpc.WithHandlerInterceptors(c.intercept("handler")))
	}
	if c.config&interceptsCalls != 0 {
		client = append(client, rpc.WithCallInterceptors(c.intercept("call")))
	}
	srv := rpc.NewServer(append(server, rpc.WithLogger(slog.New(slog.DiscardHandler)))...)
	mux := rpc.NewMux()
	cl := rpc.NewClient("ws://in.memory", append(client, rpc.WithServices(mux))...)
	for _, r := range []rpc.Registrar{srv, mux} {
		register(r, unary, c.serve)
		register(r, private, rpc.UnaryHandler(c.answer))
	}
	if c.streams {
		srv.StreamsOnly()
		cl.StreamsOnly()
	}
	c.p = connectPipe(c.t, srv, cl)
	c.caller = cl
	if c.streams {
		c.caller = open{cl}
	}
	c.makeCalls()
	pass(time.Second)
	var seen []string
	for i, log := range append(c.logs, c.served...) {
		for _, line := range log.take() {
			seen = append(seen, fmt.Sprintf("%d: %s", i, line))
		}
	}
	seen = append(seen, c.useKept()...)
	for _, conn := range []*rpc.Conn{c.p.clientConn, c.p.serverConn} {
		s := conn.Stats()
		seen = append(seen, fmt.Sprintf("%d and %d streams, ended %v", s.LocalStreams, s.RemoteStreams, conn.Err() != nil))
	}
	return seen
}

// useKept returns what streams that were kept show after the end of their calls,
// which may have ended in any order. The header of a call that failed may have
// arrived at the instant of its deadline, or not.
func (c *conversations) useKept() (seen []string) {
	for _, s := range c.kept {
		call := s.Call()
		end := s.Recv(new(wrapperspb.StringValue))
		var answer string
		if errors.Is(end, io.EOF) {
			header, err := call.ResponseHeader()
			answer = fmt.Sprintf("%v, %v, trailer %v, ", header, err, call.Trailer())
		}
		seen = append(seen, fmt.Sprintf("kept: %v, %s%d retries, %s, Recv %v, Send %v, CloseSend %v, Close %v",
			call.Header(), answer, call.Retries(), call.CodecName(), end, s.Send(text("late")), s.CloseSend(), s.Close()))
	}
	slices.Sort(seen)
	return seen
}

func (c *conversations) makeCalls() {
	switch {
	case c.config&endsServer != 0:
		time.AfterFunc(7*time.Millisecond, func() { _ = c.p.srv.Close() })
	case c.config&drainsServer != 0:
		time.AfterFunc(7*time.Millisecond, func() { _ = c.p.serverConn.Drain() })
	}
	var all sync.WaitGroup
	for i := range c.calls {
		all.Go(func() { c.call(c.t.Context(), c.caller, i, c.calls[i].steps) })
		if c.config&inTurn != 0 {
			all.Wait()
		}
		synctest.Wait()
	}
	all.Wait()
}

// call makes call i, with these steps for the handler.
func (c *conversations) call(ctx context.Context, caller rpc.Caller, i int, steps string) {
	call, log := &c.calls[i], c.logs[i]
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var header, trailer rpc.Metadata
	var opts []rpc.CallOption
	for bit, option := range map[byte][]rpc.CallOption{
		withMetadata: {rpc.WithMetadata("a", "1", "2"), rpc.WithMetadata("b-bin", "\x00")},
		withReading:  {rpc.ReadHeader(&header), rpc.ReadTrailer(&trailer)},
		withJSON:     {rpc.WithCodecName(rpc.CodecJSON)},
		withGzip:     {rpc.WithCompression(rpc.CompressionGzip)},
		withTimeout:  {rpc.WithTimeout(21 * time.Millisecond)},
	} {
		if call.options&bit != 0 {
			opts = append(opts, option...)
		}
	}
	if call.options&withDeadline != 0 {
		ctx, cancel = context.WithTimeout(ctx, 13*time.Millisecond)
		defer cancel()
	}
	if call.options&withCancel != 0 {
		time.AfterFunc(3*time.Millisecond, cancel)
	}
	msg := string(rune('A'+i)) + steps + "."
	if call.options&withLargeRequest != 0 {
		msg += strings.Repeat("z", 5000)
	}
	res, err := rpc.CallUnary[wrapperspb.StringValue, wrapperspb.StringValue](ctx, caller, call.method, text(msg), opts...)
	if call.ranOut(err) {
		log.add("%s", outOfTime)
		return
	}
	log.add("%d bytes, %.40s, %v, header %v, trailer %v", len(res.GetValue()), res.GetValue(), err, header, trailer)
}

// intercept returns an interceptor that logs what it sees of calls.
func (c *conversations) intercept(name string) rpc.Interceptor {
	return around(func(ctx context.Context, s rpc.Stream, next rpc.Handler) error {
		_ = s.Call().SetHeader("from", name)
		if name == "call" && c.config&keepsStreams != 0 {
			c.mu.Lock()
			c.kept = append(c.kept, s)
			c.mu.Unlock()
		}
		w := &watching{Stream: s, number: -1}
		if c.config&wrapsStreams != 0 {
			s = w
		}
		err := next(ctx, s)
		logs := c.logs
		if name == "handler" {
			logs = c.served
		}
		if i := w.number; i >= 0 && i < len(logs) && c.config&wrapsStreams != 0 {
			end := fmt.Sprint(err)
			if c.calls[i].ranOut(err) {
				end = outOfTime
			}
			logs[i].add("%s saw %d and %d messages, %s", name, w.sent, w.received, end)
		}
		return err
	})
}

// watching is a stream that counts messages, and knows the number of the call.
type watching struct {
	rpc.Stream
	number, sent, received int
}

func (w *watching) note(msg any) {
	if m, ok := msg.(*wrapperspb.StringValue); ok && m.Value != "" {
		w.number = int(m.Value[0]) - 'A'
	}
}

func (w *watching) Send(msg any) error {
	w.note(msg)
	err := w.Stream.Send(msg)
	if err == nil {
		w.sent++
	}
	return err
}

func (w *watching) Recv(msg any) error {
	err := w.Stream.Recv(msg)
	if err == nil {
		w.received++
		w.note(msg)
	}
	return err
}

// serve is the handler of the method with a stream.
func (c *conversations) serve(ctx context.Context, s rpc.Stream) error {
	req := new(wrapperspb.StringValue)
	if err := s.Recv(req); err != nil {
		return err
	}
	i := int(req.Value[0]) - 'A'
	if strings.Contains(req.Value, "g") {
		c.served[i].add("the next Recv: %v", s.Recv(new(wrapperspb.StringValue)))
	}
	res, err := c.answer(ctx, req)
	if err != nil {
		return err
	}
	err = s.Send(res)
	if strings.Contains(req.Value, "k") {
		c.served[i].add("the next Send: %v", s.Send(res))
	}
	return err
}

// answer takes the steps of a request.
func (c *conversations) answer(ctx context.Context, req *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
	i := int(req.Value[0]) - 'A'
	steps, _, _ := strings.Cut(req.Value[1:], ".")
	call, log := rpc.FromContext(ctx), c.served[i]
	log.add("%q, %d bytes, %s, header %v", steps, len(req.Value), call.CodecName(), call.Header())
	res := text(string(req.Value[0]) + "answer")
	for _, step := range steps {
		switch step {
		case 'a':
			log.add("SetHeader: %v", call.SetHeader("key", "value"))
		case 'b':
			log.add("SendHeader: %v", call.SendHeader())
		case 'c':
			log.add("SetTrailer: %v", call.SetTrailer("last", "value"))
		case 'd':
			res.Value += strings.Repeat("y", 5000)
		case 'f':
			return nil, rpc.Errorf(rpc.CodeNotFound, "there is none")
		case 'h':
			panic("of a handler")
		case 'i':
			select {
			case <-ctx.Done():
				log.add("the context ended")
				return nil, ctx.Err()
			case <-time.After(50 * time.Millisecond):
				log.add("the context did not end")
			}
		case 'j':
			<-time.After(5 * time.Millisecond)
		case 'l':
			deadline, ok := ctx.Deadline()
			if ok {
				log.add("%v left", time.Until(deadline))
			}
		case 'm':
			c.call(ctx, call.Conn, i, "e")
		case 'n':
			res.Value += strings.Repeat("x", 2000)
		}
	}
	return res, nil
}
