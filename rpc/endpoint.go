package rpc

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// endpoint is the common part of Server and Client: how they make and serve
// calls, and their connections.
type endpoint struct {
	mux              *Mux
	handlerChain     []Interceptor
	callChain        []Interceptor
	codecs           map[string]Codec
	compressors      map[string]Compressor
	transport        transport.Parameters
	readLimit        int64
	handshakeTimeout time.Duration
	hooks            connHooks
	resumption       Resumption
	log              *slog.Logger
	workers          workerPool
	inflight         inflightCalls
	bridged          bridgedCalls // at a server
	inflation        inflation
	single           bool          // made by Dial: there is one connection and no successor
	streamsOnly      bool          // in tests: calls of the peer are streams from the beginning
	ids              atomic.Uint64 // of connections

	sessions transport.Sessions // at a server: sessions that may be resumed
	maxAge   *maxConnectionAge  // at a server: of connections; nil: no limit
	detached detachedConns      // at a server: connections without a link
	makeRoom func(*Conn)        // at a server: ends detached connections in favor of a new one

	onUnknownPredecessor func(transport.Predecessor, string)             // at a server: ends a session of another server
	predecessorOf        func(*Conn) func(transport.Predecessor, string) // at a server: makes the same for one connection; nil: all have the same

	conns connSet
}

// init sets what options may change.
func (e *endpoint) init() {
	e.mux = NewMux()
	e.codecs = defaultCodecs()
	e.compressors = defaultCompressors()
	e.log = slog.Default()
}

// startConn starts a connection on a link.
func (e *endpoint) startConn(c *Conn, link transport.Link, side transport.Side) error {
	sess, err := transport.NewSession(link, side, e.prepare(c))
	if err != nil {
		_ = link.Close(transport.CloseInternalError, "misconfigured")
		return err
	}
	if closing := e.register(c, sess); closing != nil {
		_ = sess.Close(closing.Code, closing.Reason)
		return Errorf(CodeCanceled, "%s", closing.Reason)
	}
	return nil
}

// prepare returns the configuration of the session of a connection.
func (e *endpoint) prepare(c *Conn) transport.Config {
	c.e, c.id = e, e.ids.Add(1)
	c.started.Add(1)
	cfg := transport.Config{Parameters: e.parameters()}
	cfg.OnStream = c.onStream
	if !e.streamsOnly {
		cfg.NewRequest = c.newRequest
	}
	cfg.OnHello = c.onHello
	cfg.OnEnd = c.onEnd
	cfg.OnResumed = c.onResumed
	cfg.OnDetached = func(s *transport.Session, err error) {
		e.detached.add(c, s)
		if !c.isEstablished() {
			c.events.unseen.Add(1) // the application does not know the connection yet
			return
		}
		c.logDetached(err)
		c.notifyDetached()
	}
	if c.client.sub != nil {
		cfg.OnDetached = c.onLinkLost
		cfg.OnGoAway = c.onGoAway
		cfg.Predecessor = c.client.predecessor
	}
	cfg.Go = e.workers.runFunc
	cfg.Sessions = &e.sessions
	cfg.OnUnknownPredecessor = e.onUnknownPredecessor
	if e.predecessorOf != nil {
		cfg.OnUnknownPredecessor = e.predecessorOf(c)
	}
	cfg.Principal, cfg.SamePrincipal, cfg.Owner = c.server.identity, sameIdentity, c.server.owner
	if c.server.unnamed {
		cfg.ResumeWindow = -1
	}
	return cfg
}

// register adds a connection whose session has begun. If the endpoint is
// closed, it returns how. Handlers wait for started, so the connection is in the
// set before: a Shutdown that one of them calls, or sees, drains it.
func (e *endpoint) register(c *Conn, sess *transport.Session) *transport.CloseError {
	c.sess = sess
	closing := e.conns.add(c)
	c.started.Done()
	return closing
}

// close ends all connections with a close code and waits for their goroutines.
// It does not wait for handlers, whose contexts it cancels.
func (e *endpoint) close(code transport.CloseCode, reason string) {
	e.bridged.close()
	conns := e.conns.close(&transport.CloseError{Code: code, Reason: reason})
	var all sync.WaitGroup
	for _, c := range conns {
		all.Go(func() {
			if code != transport.CloseNormal {
				// An error means that it has ended or sent a GOAWAY before.
				_ = c.sess.GoAway(transport.GoAway{Status: uint64(CodeUnavailable), Reason: reason})
			}
			_ = c.sess.Close(code, reason)
		})
	}
	all.Wait()
	e.workers.close()
}

func (e *endpoint) codec(name string) (Codec, error) {
	if name == "" {
		name = CodecProto
	}
	if c, ok := e.codecs[name]; ok {
		return c, nil
	}
	return nil, Errorf(CodeUnimplemented, "unknown codec %.200q: use one of %s", name, names(e.codecs))
}

func (e *endpoint) compressor(name string) (Compressor, error) {
	if name == "" {
		return nil, nil
	}
	if c, ok := e.compressors[name]; ok {
		return c, nil
	}
	return nil, Errorf(CodeUnimplemented, "unknown compression %.200q: use one of %s", name, names(e.compressors))
}

// accepted returns the compression of a response: the request's own, or the
// first one that the caller accepts and this end knows, or nil.
func (e *endpoint) accepted(open *openBlock) Compressor {
	if open.encoding != "" {
		return e.compressors[open.encoding]
	}
	for name := range strings.SplitSeq(open.accept, ",") {
		if c, ok := e.compressors[name]; ok {
			return c
		}
	}
	return nil
}

// maxMessage is the limit in bytes of a message that arrives, also when
// inflated.
func (e *endpoint) maxMessage() int {
	if e.transport.MaxMessage > 0 {
		return e.transport.MaxMessage
	}
	return transport.DefaultMaxMessage
}

// maxHeader is the limit in bytes of the metadata that comes with a call.
func (e *endpoint) maxHeader() int {
	if e.transport.MaxHeader > 0 {
		return e.transport.MaxHeader
	}
	return transport.DefaultMaxHeader
}

// names lists the keys of a set for an error.
func names[V any](set map[string]V) string {
	return fmt.Sprintf("%q", slices.Sorted(maps.Keys(set)))
}
