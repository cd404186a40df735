package parleyconnect

import (
	"context"
	"net"
	"net/http"
	"net/netip"

	"github.com/parley-rpc/parley/rpc"
)

// call is what is known of a call by its HTTP request.
type call struct {
	service, name string
	unary         bool // it comes in the form that Connect has for unary calls alone
	peer          *rpc.Peer
	response      *http.ResponseController
	writes        *writeBound
}

type callKey struct{}

// callContext is the context of a request, with its call and the values of the
// authentication.
type callContext struct {
	context.Context
	values context.Context
	call   *call
}

// Value implements context.Context.
func (c callContext) Value(key any) any {
	if key == (callKey{}) {
		return c.call
	}
	if v := c.values.Value(key); v != nil {
		return v
	}
	return c.Context.Value(key)
}

// textAddr is the address of a client that is not reached by TCP.
type textAddr string

// Network implements net.Addr.
func (textAddr) Network() string { return "unknown" }

// String implements net.Addr.
func (a textAddr) String() string { return string(a) }

// peerOf describes the client of a request.
func peerOf(r *http.Request) *rpc.Peer {
	p := &rpc.Peer{
		Host: r.Host, Addr: textAddr(r.RemoteAddr), TLS: r.TLS, RequestURI: r.RequestURI, Header: r.Header.Clone(),
	}
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		p.Addr = net.TCPAddrFromAddrPort(at)
	}
	p.LocalAddr, _ = r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return p
}
