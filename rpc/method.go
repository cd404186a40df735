package rpc

import "context"

// Method describes one method of a service, as both ends see it.
type Method struct {
	Service       string // with its package: "acme.users.v1.UserService"
	Name          string // "GetUser"
	ClientStreams bool   // the caller sends any number of messages, not just one
	ServerStreams bool   // the callee sends any number of messages, not just one
	Idempotency   Idempotency
}

// Path returns "service/name", which names the method on the wire.
func (m *Method) Path() string { return m.Service + "/" + m.Name }

// Idempotency is a method's idempotency_level in its .proto.
type Idempotency int

const (
	// IdempotencyUnknown: a second call may do harm.
	IdempotencyUnknown Idempotency = iota
	// NoSideEffects: a call changes nothing.
	NoSideEffects
	// Idempotent: a second call changes nothing more.
	Idempotent
)

// Handler serves one call, of any kind. s is the callee's end of it; what the
// handler returns is the call's status. A Recv of s that still waits then, on another
// goroutine, fails.
//
// For an interceptor of outgoing calls a Handler is what the application does
// with its end of the call, from opening it to its status.
type Handler func(ctx context.Context, s Stream) error

// Interceptor wraps a Handler. One shape serves all kinds of calls at both ends:
// what it does before next happens before the call, the error of next is the
// call's status, and a Stream around s sees each message.
//
// It calls next once at the most, on the goroutine on which it runs. Around an
// outgoing call, next returns when the call has its status and the operation that
// learned of it is done: the rest of the interceptor runs within that Send, Recv
// or Close of the application, or, if a context ends the call meanwhile, on a
// goroutine of its own. A panic of an interceptor there is the application's.
type Interceptor func(next Handler) Handler

// chain wraps h so that the first interceptor is outermost.
func chain(interceptors []Interceptor, h Handler) Handler {
	for i := len(interceptors) - 1; i >= 0; i-- {
		h = interceptors[i](h)
	}
	return h
}

// Service is a service and who serves its methods. Generated code makes it.
type Service struct {
	Name    string
	Methods []ServiceMethod
}

// ServiceMethod is a method and who serves it.
type ServiceMethod struct {
	Method  *Method
	Handler Handler
	Raw     bool // Handler receives and sends only *Raw: it takes calls of any codec, known here or not
}

// Registrar takes services: a *Server or a *Mux.
type Registrar interface {
	// Register adds a service. It panics if there is one of that name.
	Register(s *Service)
}

// Caller makes calls: a *Client or a *Conn.
type Caller interface {
	// Open begins a call. Its errors, and those of the stream, are *Error.
	Open(ctx context.Context, m *Method, opts ...CallOption) (Stream, error)
}

// Stream is one end of one call. Generated code wraps it in typed views. One
// goroutine may send while another receives.
type Stream interface {
	// Call returns what is known of the call.
	Call() *Call
	// Send sends a message, which it does not keep. It returns when the message
	// is queued for the network, not when the other end has it, and blocks
	// while the other end is slow. If the call is over its status is returned;
	// where that is OK, ErrFinished.
	Send(msg any) error
	// Recv waits for a message and decodes it into msg. It returns io.EOF when
	// the other end has sent all, and otherwise the call's status.
	Recv(msg any) error
	// CloseSend says that no more messages are sent. Once is enough.
	CloseSend() error
	// Close ends the use of the call, and cancels it if it is not over. After
	// the end of a call it does nothing.
	Close() error
}
