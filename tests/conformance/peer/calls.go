package main

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-rpc/parley/rpc"
	conformancev1 "github.com/parley-rpc/parley/tests/conformance/gen/conformance/v1"
	"github.com/parley-rpc/parley/tests/conformance/gen/conformance/v1/conformancev1parley"
)

// methods are those that can be called.
func methods() map[string]*rpc.Method {
	return map[string]*rpc.Method{
		"Unary":    conformancev1parley.ConformanceServiceUnaryMethod,
		"Upload":   conformancev1parley.ConformanceServiceUploadMethod,
		"Download": conformancev1parley.ConformanceServiceDownloadMethod,
		"Bidi":     conformancev1parley.ConformanceServiceBidiMethod,
	}
}

// calls are the calls that one endpoint makes.
type calls struct {
	reports *reporter
	caller  func(context.Context) (rpc.Caller, error)
	ctx     context.Context // of the endpoint
	cancels context.CancelFunc
	running sync.WaitGroup

	mu   sync.Mutex
	open map[uint64]*openCall
}

// openCall is a call in progress.
type openCall struct {
	cancel     context.CancelFunc
	halfClosed chan struct{}
	once       sync.Once
}

func (o *openCall) halfClose() { o.once.Do(func() { close(o.halfClosed) }) }

func (c *calls) init(reports *reporter, caller func(context.Context) (rpc.Caller, error)) {
	c.reports, c.caller = reports, caller
	c.ctx, c.cancels = context.WithCancel(context.Background())
	c.open = make(map[uint64]*openCall)
}

// end cancels what still runs, and waits for it.
func (c *calls) end() {
	c.cancels()
	c.running.Wait()
}

func (c *calls) call(req *conformancev1.Call) {
	ctx, cancel := context.WithCancel(c.ctx)
	o := &openCall{cancel: cancel, halfClosed: make(chan struct{})}
	if !req.GetHold() {
		o.halfClose()
	}
	c.mu.Lock()
	c.open[req.GetCall()] = o
	c.mu.Unlock()
	c.running.Go(func() {
		defer cancel()
		end := &conformancev1.CallEnd{Call: req.GetCall()}
		err := c.run(ctx, o, req, end)
		status := rpc.StatusOf(err)
		if err != nil {
			end.Status, end.Message = uint32(status.Code()), status.Message()
			for _, d := range status.Details() {
				b, err := proto.MarshalOptions{Deterministic: true}.Marshal(d)
				if err != nil {
					panic(err) // it was parsed before
				}
				end.Details = append(end.Details, b)
			}
		}
		c.reports.send(&conformancev1.Report{What: &conformancev1.Report_CallEnd{CallEnd: end}})
	})
}

func (c *calls) cancel(call uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[call].cancel()
}

func (c *calls) halfClose(call uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[call].halfClose()
}

// run makes a call and fills end with what it receives.
func (c *calls) run(ctx context.Context, o *openCall, req *conformancev1.Call, end *conformancev1.CallEnd) error {
	caller, err := c.caller(ctx)
	if err != nil {
		return err
	}
	m, ok := methods()[req.GetMethod()]
	if !ok {
		return rpc.Errorf(rpc.CodeUnimplemented, "there is no method %q", req.GetMethod())
	}
	var header, trailer rpc.Metadata
	defer func() { end.Header, end.Trailer = pairs(header), pairs(trailer) }()
	options := callOptions(req, &header, &trailer)
	if !m.ClientStreams && !m.ServerStreams {
		res, err := rpc.CallUnary[conformancev1.Work, conformancev1.Result](ctx, caller, m, req.GetRequests()[0], options...)
		if res != nil {
			end.Responses = append(end.Responses, res)
		}
		return err
	}
	s, err := caller.Open(ctx, m, options...)
	if err != nil {
		return err
	}
	defer s.Close()
	var sending sync.WaitGroup
	sending.Go(func() {
		for _, r := range req.GetRequests() {
			if s.Send(r) != nil { // Recv returns why
				return
			}
		}
		select {
		case <-o.halfClosed:
			_ = s.CloseSend()
		case <-ctx.Done():
		case <-c.ctx.Done():
		}
	})
	err = receive(s, end)
	o.halfClose()
	sending.Wait()
	return err
}

// receive reads the responses up to the status.
func receive(s rpc.Stream, end *conformancev1.CallEnd) error {
	for {
		var res conformancev1.Result
		err := s.Recv(&res)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		end.Responses = append(end.Responses, &res)
	}
}

func callOptions(req *conformancev1.Call, header, trailer *rpc.Metadata) []rpc.CallOption {
	options := []rpc.CallOption{rpc.ReadHeader(header), rpc.ReadTrailer(trailer)}
	for key, values := range grouped(req.GetMetadata()) {
		options = append(options, rpc.WithMetadata(key, values...))
	}
	if ms := req.GetTimeoutMs(); ms != 0 {
		options = append(options, rpc.WithTimeout(time.Duration(ms)*time.Millisecond))
	}
	if name := req.GetCodec(); name != "" {
		options = append(options, rpc.WithCodecName(name))
	}
	if name := req.GetCompression(); name != "" {
		options = append(options, rpc.WithCompression(name))
	}
	return options
}
