package rpc

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// handshake is one handshake at a server.
type handshake struct {
	s       *Server
	r       *http.Request   // as seen by the application
	addr    string          // for which it counts
	base    context.Context // of handlers
	cause   error           // why it was refused, for the log
	release func()          // ends the counting
}

// admit decides whether a valid handshake is accepted.
func (h *handshake) admit(r *http.Request) *ws.RefusalError {
	h.r = r
	if size, most := headerSize(r.Header), h.s.limits.MaxHandshakeHeader; size > most {
		return refuseHeader(size, most)
	}
	addr := h.s.limits.Address(r)
	h.addr = addr
	if err := h.s.admission.acquire(&h.s.limits, addr); err != nil {
		return refuseForNow(err)
	}
	admission, recent := &h.s.admission, h.s.recent // the connection retains release, which must not retain the request
	admitted := false
	h.release = sync.OnceFunc(func() {
		if admitted {
			recent.add(addr) // an address that had a connection may have one to resume
		}
		admission.release(addr)
	})
	if !h.s.handshakes.acquire(r.Context(), h.s.classOf(r, addr), addr) {
		return refuseForNow(Errorf(CodeUnavailable, "the server accepts at most %d handshakes per second", h.s.limits.MaxHandshakesPerSecond))
	}
	var refusal *ws.RefusalError
	h.base, refusal, h.cause = h.s.identify(r)
	if refusal != nil {
		h.s.handshakes.refund()
		return refusal
	}
	if wait := h.s.churn.delay(ownerOf(h.base, addr)); wait > maxQueueWait || !sleep(r.Context(), wait) {
		h.s.handshakes.refund()
		return refuseForNow(Errorf(CodeUnavailable, "more than %d detached connections of this client per second were evicted", time.Second/churnCost))
	}
	if credentials, brings := credentialsOf(r); brings && h.s.authenticate != nil {
		recent.add(credentials...)
	}
	admitted = true
	return nil
}

// headerSize returns the size of a header in bytes, approximately as in
// HTTP/1.1.
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
	refusal := refuse(Errorf(CodeResourceExhausted, "the header of the handshake has %d bytes, the limit is %d", size, most))
	refusal.Status = http.StatusRequestHeaderFieldsTooLarge
	refusal.Header.Del("Retry-After") // it will be too large the next time too
	return refusal
}

// refuseForNow refuses a client because the server is full. A page may try
// again too.
func refuseForNow(err error) *ws.RefusalError {
	refusal := refuse(err)
	refusal.Code = transport.CloseRefusal + transport.CloseCode(CodeUnavailable)
	return refusal
}

// accept upgrades the request.
func (h *handshake) accept(w http.ResponseWriter, r *http.Request) (*AcceptedLink, error) {
	h.release = func() {}
	accepted := false
	defer func() {
		if !accepted {
			h.release() // also if the authentication panics
		}
	}()
	up := h.s.upgrader
	up.Admit = h.admit
	link, err := up.Upgrade(w, r)
	if err != nil {
		return nil, err
	}
	accepted = true
	return &AcceptedLink{
		Link: &countedLink{link, h.release},
		s:    h.s,
		addr: h.addr,
		ctx:  h.base,
		peer: Peer{
			Host:       h.r.Host,
			Addr:       link.RemoteAddr(),
			LocalAddr:  link.LocalAddr(),
			TLS:        link.TLS(),
			Protocol:   link.Subprotocol(),
			RequestURI: h.r.RequestURI,
			Header:     h.r.Header,
		},
	}, nil
}

// ownerOf returns the owner for which a connection counts while it is detached.
func ownerOf(base context.Context, addr string) string {
	if name := Principal(base); name != "" {
		return "principal " + name
	}
	return "address " + addr
}

// start starts a connection on the link of an accepted handshake, which counts
// until it is closed.
func (h *handshake) start(link transport.Link, peer Peer) error {
	info := &linkInfo{peer: peer, addr: h.addr}
	info.expiry, _ = Expiry(h.base)
	c := &Conn{server: serverConn{base: h.base, principal: Principal(h.base)}}
	c.link.Store(info)
	c.server.unnamed = h.s.authenticate != nil && c.server.principal == ""
	c.server.identity = h.s.binding.identity(h.r, c.server.principal)
	c.server.owner = ownerOf(h.base, h.addr)
	return h.s.startConn(c, &handshakeLink{link, info}, transport.Acceptor)
}
