package rpc

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// visit is one handshake at a server.
type visit struct {
	s     *Server
	r     *http.Request   // as an application may see it
	addr  string          // that it is counted for
	base  context.Context // of handlers
	cause error           // why it was refused, for the log
	leave func()          // undoes the counting
}

// admit decides whether a handshake that is in order is served.
func (v *visit) admit(r *http.Request) *ws.RefusalError {
	v.r = r
	if size, most := headerSize(r.Header), v.s.limits.MaxHandshakeHeader; size > most {
		return refuseHeader(size, most)
	}
	addr := v.s.limits.Address(r)
	v.addr = addr
	if err := v.s.admission.acquire(&v.s.limits, addr); err != nil {
		return refuseForNow(err)
	}
	admission, recent := &v.s.admission, v.s.recent // the connection keeps leave, and with it nothing of the request
	admitted := false
	v.leave = sync.OnceFunc(func() {
		if admitted {
			recent.add(addr) // what has had a connection may have one to resume
		}
		admission.release(addr)
	})
	if !v.s.handshakes.acquire(r.Context(), v.s.classOf(r, addr), addr) {
		return refuseForNow(Errorf(CodeUnavailable, "more than %d clients a second connect", v.s.limits.MaxHandshakesPerSecond))
	}
	var no *ws.RefusalError
	v.base, no, v.cause = v.s.identify(r)
	if no != nil {
		v.s.handshakes.refund()
		return no
	}
	if !pause(r.Context(), v.s.churn.delay(ownerOf(v.base, addr))) {
		v.s.handshakes.refund()
		return refuseForNow(Errorf(CodeUnavailable, "connections of this client are lost, and ended for want of room, more than %d times a second", time.Second/churnCost))
	}
	if credentials, brings := credentialsOf(r); brings && v.s.authenticate != nil {
		recent.add(credentials...)
	}
	admitted = true
	return nil
}

// headerSize returns how many bytes a header takes, about as HTTP/1.1 counts them.
func headerSize(h http.Header) (n int) {
	for name, values := range h {
		for _, v := range values {
			n += len(name) + len(": \r\n") + len(v)
		}
	}
	return n
}

// refuseHeader refuses a client whose header is too large to be kept.
func refuseHeader(size, most int) *ws.RefusalError {
	no := refuse(Errorf(CodeResourceExhausted, "the header of the handshake has %d bytes, and may have %d", size, most))
	no.Status = http.StatusRequestHeaderFieldsTooLarge
	no.Header.Del("Retry-After") // it will be as large the next time
	return no
}

// refuseForNow refuses a client for want of room. That is no verdict on it: a page
// too may come back.
func refuseForNow(err error) *ws.RefusalError {
	no := refuse(err)
	no.Code = transport.CloseRefusal + transport.CloseCode(CodeUnavailable)
	return no
}

// serve upgrades the request and starts a connection.
func (v *visit) serve(w http.ResponseWriter, r *http.Request) error {
	v.leave = func() {}
	served := false
	defer func() {
		if !served {
			v.leave() // also when the authentication panics
		}
	}()
	up := v.s.upgrader
	up.Admit = v.admit
	link, err := up.Upgrade(w, r)
	if err != nil {
		return err
	}
	served = true
	return v.start(link, Peer{
		Host:      v.r.Host,
		Addr:      link.RemoteAddr(),
		LocalAddr: link.LocalAddr(),
		TLS:       link.TLS(),
		Protocol:  link.Subprotocol(),
		Header:    v.r.Header,
	})
}

// ownerOf returns for whom a connection counts while it is detached.
func ownerOf(base context.Context, addr string) string {
	if name := Principal(base); name != "" {
		return "principal " + name
	}
	return "address " + addr
}

// pause waits, for maxQueueWait at most. It reports false if that is not long enough, or
// if ctx ends first.
func pause(ctx context.Context, wait time.Duration) bool {
	if wait <= 0 {
		return true
	}
	if wait > maxQueueWait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// start starts a connection on the link of a handshake that was admitted.
func (v *visit) start(link transport.Link, peer Peer) error {
	info := &linkInfo{peer: peer, addr: v.addr}
	info.expiry, _ = expiryOf(v.base)
	c := &Conn{server: serverConn{base: v.base, principal: Principal(v.base)}}
	c.link.Store(info)
	c.server.unnamed = v.s.authenticate != nil && c.server.principal == ""
	c.server.identity = v.s.binding.identity(v.r, c.server.principal)
	c.server.owner = ownerOf(v.base, v.addr)
	return v.s.startConn(c, &handshakeLink{&countedLink{link, v.leave}, info}, transport.Acceptor)
}
