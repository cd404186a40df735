package rpc

// Method describes one method of a service.
type Method struct {
	Service       string // including the package: "acme.users.v1.UserService"
	Name          string // "GetUser"
	ClientStreams bool   // the caller sends any number of messages instead of one
	ServerStreams bool   // the callee sends any number of messages instead of one
	Idempotency   Idempotency
}

// Path returns "service/name", the name of the method on the wire.
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
