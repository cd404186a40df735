package rpc

import (
	"context"
	"net/http"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// Authenticator decides by the request of a handshake who may connect: by cookies,
// the Authorization header, or the client's certificate in r.TLS. A credential that
// a script in a browser has sent as the subprotocol "parley.bearer.<base64url>" is
// an Authorization header here.
//
// The values of the context that it returns are those of the contexts of all
// handlers on the connection, and nil stands for the request's; usually it is made
// from that one. WithPrincipal says in it who it is.
//
// An *Error refuses the client, with its message: with an HTTP status that fits the
// code, or, for a page of an allowed origin, with the close code 4000+n, which a
// script can read. Other errors are CodeUnknown, and are told to the log only.
type Authenticator func(r *http.Request) (context.Context, error)

// WithAuthentication has f decide who may connect. It is asked for each link of a
// connection, also for those that resume it; the context of the first one counts.
//
// Without it, values that HTTP middleware has put into the request's context reach
// handlers as well, those of the request that began the connection, and WithPrincipal and
// WithExpiry there have the same meaning. They are there for as long as the connection
// lasts: what is taken back when the request is over, such as the route of a router that
// uses its contexts again, cannot be used.
//
// A connection is resumed only by the principal that began it. Where f names none, it is
// not resumed: f cannot tell this client from others. Where there is no f,
// and middleware names none, the handshake itself has to say the same: Authorization, the
// client's certificate, the query of the URL, all cookies that the first one had, and the
// headers of WithSessionHeaders. A client whose credentials differ gets a new connection,
// and calls in flight fail with CodeUnavailable. So where tokens or cookies are renewed,
// name the principal.
func WithAuthentication(f Authenticator) ServerOption {
	return serverOption(func(s *Server) { s.authenticate = f })
}

type principalKey struct{}

// WithPrincipal returns a context that says who has authenticated: a name that no other
// user has, and that stays the same when credentials are renewed. It is for an
// Authenticator, and for HTTP middleware in front of a Server. The empty name is none.
func WithPrincipal(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, principalKey{}, name)
}

// Principal returns the name that the authentication has found for the caller, ""
// without one.
func Principal(ctx context.Context) string {
	name, _ := ctx.Value(principalKey{}).(string)
	return name
}

// identify asks who the client of a handshake is. If it is refused, cause is for
// the log.
func (s *Server) identify(r *http.Request) (ctx context.Context, refusal *ws.RefusalError, cause error) {
	ctx = r.Context()
	if s.authenticate != nil {
		known, err := s.authenticate(r)
		if err != nil {
			return nil, refuse(err), err
		}
		if known != nil {
			ctx = known
		}
	}
	if ends, ok := expiryOf(ctx); ok && !time.Now().Before(ends) {
		err := Errorf(CodeUnauthenticated, "the credentials have expired")
		return nil, refuse(err), err
	}
	return context.WithoutCancel(ctx), nil, nil // a request's ends with the handshake
}

// refuse is how the client hears of an error.
func refuse(err error) *ws.RefusalError {
	code, reason := CodeOf(err), "the server could not authenticate the client"
	if isStatus(err) {
		reason = asError(err).message
	}
	no := &ws.RefusalError{
		Status: httpStatus(code),
		Code:   transport.CloseRefusal + transport.CloseCode(code),
		Reason: reason,
		Header: make(http.Header),
	}
	switch no.Status {
	case http.StatusUnauthorized:
		no.Header.Set("WWW-Authenticate", "Bearer")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		no.Header.Set("Retry-After", "1")
	}
	return no
}

// httpStatus is the HTTP status that comes nearest to a code.
func httpStatus(c Code) int {
	switch c {
	case CodeInvalidArgument, CodeFailedPrecondition, CodeOutOfRange:
		return http.StatusBadRequest
	case CodeUnauthenticated:
		return http.StatusUnauthorized
	case CodePermissionDenied:
		return http.StatusForbidden
	case CodeNotFound:
		return http.StatusNotFound
	case CodeAborted, CodeAlreadyExists:
		return http.StatusConflict
	case CodeResourceExhausted:
		return http.StatusTooManyRequests
	case CodeUnimplemented:
		return http.StatusNotImplemented
	case CodeUnavailable:
		return http.StatusServiceUnavailable
	case CodeDeadlineExceeded:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}
