// Package load makes calls of all four kinds with numbered messages, and counts
// at both ends what happened to them.
package load

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
)

// Kind is a kind of call.
type Kind int

// The kinds.
const (
	Unary Kind = iota
	ServerStream
	ClientStream
	Bidi

	kinds
)

func (k Kind) String() string {
	return [kinds]string{"unary", "server-stream", "client-stream", "bidi"}[k]
}

// methodsOf returns the methods of a load's service.
func methodsOf(service string) [kinds]*rpc.Method {
	return [kinds]*rpc.Method{
		Unary:        {Service: service, Name: "Echo"},
		ServerStream: {Service: service, Name: "Download", ServerStreams: true},
		ClientStream: {Service: service, Name: "Upload", ClientStreams: true},
		Bidi:         {Service: service, Name: "Exchange", ClientStreams: true, ServerStreams: true},
	}
}

type bytesValue = wrapperspb.BytesValue

// server counts the messages of the calls that it serves.
type server struct{ book *Book }

// Register registers the service of the load that b counts.
func Register(r rpc.Registrar, b *Book) {
	s := server{b}
	r.Register(&rpc.Service{Name: b.methods[Unary].Service, Methods: []rpc.ServiceMethod{
		{Method: b.methods[Unary], Handler: rpc.UnaryHandler(s.echo)},
		{Method: b.methods[ServerStream], Handler: rpc.ServerStreamHandler(s.download)},
		{Method: b.methods[ClientStream], Handler: rpc.ClientStreamHandler(s.upload)},
		{Method: b.methods[Bidi], Handler: rpc.BidiHandler(s.exchange)},
	}})
}

// take counts and parses a request.
func (s server) take(v *bytesValue) (*entry, message) {
	m := decode(v)
	e := s.book.serve(m.call)
	e.received(request, m)
	return e, m
}

// reply counts and makes the response with a number.
func (s server) reply(e *entry, number int) *bytesValue {
	e.sent(answer)
	m := message{direction: answer, call: e.id, number: uint32(number)}
	return m.encode(s.book.mix.size(rand.New(rand.NewPCG(e.id, uint64(number)))))
}

func (s server) echo(_ context.Context, v *bytesValue) (*bytesValue, error) {
	e, _ := s.take(v)
	return s.reply(e, 0), nil
}

func (s server) download(_ context.Context, v *bytesValue, out rpc.Sender[bytesValue]) error {
	e, m := s.take(v)
	return s.answerAll(e, int(m.answers), out)
}

func (s server) answerAll(e *entry, n int, out rpc.Sender[bytesValue]) error {
	for i := range n {
		if err := out.Send(s.reply(e, i)); err != nil {
			return err
		}
	}
	return nil
}

func (s server) upload(_ context.Context, in rpc.Receiver[bytesValue]) (*bytesValue, error) {
	var e *entry
	for v, err := range in.All() {
		if err != nil {
			return nil, err
		}
		e, _ = s.take(v)
	}
	if e == nil {
		return nil, rpc.Errorf(rpc.CodeInvalidArgument, "no messages")
	}
	return s.reply(e, 0), nil
}

// exchange responds at its own pace, not message by message.
func (s server) exchange(_ context.Context, in rpc.Receiver[bytesValue], out rpc.Sender[bytesValue]) error {
	first, err := in.Recv()
	if err != nil {
		return err
	}
	e, m := s.take(first)
	var answers sync.WaitGroup
	var failed error
	answers.Go(func() { failed = s.answerAll(e, int(m.answers), out) })
	defer answers.Wait()
	for {
		v, err := in.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		s.take(v)
	}
	answers.Wait()
	return failed
}
