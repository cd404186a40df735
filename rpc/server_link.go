package rpc

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// AcceptedLink is a link whose handshake a Server has accepted. Its owner
// passes it to ServeLink, with its Context and Peer, or closes it. Until it is
// closed it counts for the limits of the server.
type AcceptedLink struct {
	transport.Link
	s    *Server
	addr string // for which it counts
	ctx  context.Context
	peer Peer
}

// Context returns a context that never ends, with the values that the
// authentication has given: the Principal, for example.
func (l *AcceptedLink) Context() context.Context { return l.ctx }

// Peer describes the client.
func (l *AcceptedLink) Peer() *Peer { return &l.peer }

// Unwrap returns the link below.
func (l *AcceptedLink) Unwrap() transport.Link { return l.Link }

// Upgrade does what ServeHTTP does, except that it does not serve calls on the
// link: it checks the limits and whether the server shuts down, authenticates
// the client, and answers the handshake. If it returns an error, the request
// was answered with a refusal.
//
// With transport.PeekHello the caller can find out which session the link is
// for before it passes the link to ServeLink, or elsewhere.
func (s *Server) Upgrade(w http.ResponseWriter, r *http.Request) (*AcceptedLink, error) {
	h := handshake{s: s}
	return h.upgrade(w, r)
}

// upgrade is Upgrade. It leaves in h what start needs.
func (h *handshake) upgrade(w http.ResponseWriter, r *http.Request) (*AcceptedLink, error) {
	s := h.s
	if s.refusesLinks(r) {
		s.refuseDraining(w)
		err := Errorf(CodeUnavailable, "the server is shutting down")
		s.logRefusal(r, err)
		return nil, err
	}
	l, err := h.accept(w, r)
	if err != nil {
		err = errors.Join(err, h.cause)
		s.logRefusal(r, err)
		return nil, err
	}
	return l, nil
}

// ServeLink serves calls on a link, which it owns from then on: one that
// Upgrade has accepted, or one that is no WebSocket. It returns at once; the
// connection lasts until either end closes it.
//
// The caller has authenticated the client: ServeLink does not call the
// Authenticator. ctx has the values that the contexts of handlers get, such as
// those of WithPrincipal and WithExpiry. Its end is ignored. Peer describes the
// client. Without a principal, what Peer contains decides which links may
// resume the connection, as described at WithAuthentication.
//
// If the server is closed or has too many links, it closes the link with the
// close code that it would use for a page, and returns the reason.
func (s *Server) ServeLink(ctx context.Context, link transport.Link, peer Peer) error {
	r := peer.request(ctx)
	h := handshake{s: s, r: r, base: context.WithoutCancel(ctx)}
	if l := acceptedBy(s, link); l != nil {
		h.addr = l.addr
	} else {
		h.addr = s.limits.Address(r)
		if err := s.admission.acquire(&s.limits, h.addr); err != nil {
			return turnAway(link, err)
		}
		addr := h.addr
		link = &countedLink{link, sync.OnceFunc(func() { s.admission.release(addr) })}
	}
	if ends, ok := Expiry(ctx); ok && !time.Now().Before(ends) {
		return turnAway(link, Errorf(CodeUnauthenticated, "the credentials have expired"))
	}
	return h.start(link, peer)
}

// turnAway closes a link that is not served, and returns the reason.
func turnAway(link transport.Link, err error) error {
	e := asError(err)
	_ = link.Close(transport.CloseRefusal+transport.CloseCode(e.code), e.message)
	return err
}

// acceptedBy returns the AcceptedLink of the server that link is, or wraps, or
// nil.
func acceptedBy(s *Server, link transport.Link) *AcceptedLink {
	for {
		switch l := link.(type) {
		case *AcceptedLink:
			if l.s == s {
				return l
			}
			link = l.Link
		case interface{ Unwrap() transport.Link }:
			link = l.Unwrap()
		default:
			return nil
		}
	}
}

// request returns the handshake that the peer has made, as far as it is known.
func (p *Peer) request(ctx context.Context) *http.Request {
	r := &http.Request{
		Method: http.MethodGet, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Host: p.Host, Header: p.Header, TLS: p.TLS, RequestURI: p.RequestURI, URL: new(url.URL),
	}
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	if p.Addr != nil {
		r.RemoteAddr = p.Addr.String()
	}
	if u, err := url.ParseRequestURI(p.RequestURI); err == nil {
		r.URL = u
	}
	return r.WithContext(ctx)
}
