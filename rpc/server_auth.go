package rpc

import (
	"context"
	"net/http"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// Authenticator decides, by the request of a handshake, whether a client may
// connect: by cookies, the Authorization header, or the client's certificate in
// r.TLS. A credential that a script in a browser has sent as the subprotocol
// "parley.bearer.<base64url>" appears as an Authorization header.
//
// The values of the returned context are available in the contexts of all
// handlers on the connection. It is usually derived from the request's context,
// and nil means that context. WithPrincipal sets the principal in it.
//
// An *Error refuses the client with its message: with an HTTP status that fits
// the code or, for a page of an allowed origin, with the close code 4000+n,
// which a script can read. Other errors become CodeUnknown, and only the log
// contains their text.
type Authenticator func(r *http.Request) (context.Context, error)

// WithAuthentication registers f to authenticate clients. f is called for each
// link of a connection, including those that resume it; the context of the
// first one applies.
//
// Without it, values that HTTP middleware has put into the request's context
// reach handlers as well, from the request that began the connection.
// WithPrincipal and WithExpiry have the same meaning there. The values are used
// as long as the connection lasts, so a value that becomes invalid after the
// request, such as the context of a router that reuses its contexts, must not
// be used.
//
// Only the principal that began a connection can resume it. If f names no
// principal, the connection is not resumed, because f cannot distinguish this
// client from others. If there is neither f nor a principal from middleware,
// the handshakes must agree in Authorization, the client's certificate, the
// query of the URL, all cookies of the first handshake, and the headers of
// WithSessionHeaders. A client with other credentials gets a new connection,
// and calls in flight fail with CodeUnavailable. So name the principal if
// tokens or cookies are renewed.
func WithAuthentication(f Authenticator) ServerOption {
	return serverOption(func(s *Server) { s.authenticate = f })
}

type principalKey struct{}

// WithPrincipal returns a context that names the authenticated principal. The
// name must be unique to the user and stay the same when credentials are
// renewed. It is for an Authenticator, or for HTTP middleware in front of a
// Server. The empty name means none.
func WithPrincipal(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, principalKey{}, name)
}

// Principal returns the name of the authenticated principal, or "".
func Principal(ctx context.Context) string {
	name, _ := ctx.Value(principalKey{}).(string)
	return name
}

// identify authenticates the client of a handshake. If it is refused, cause is
// for the log.
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
	if ends, ok := Expiry(ctx); ok && !time.Now().Before(ends) {
		err := Errorf(CodeUnauthenticated, "the credentials have expired")
		return nil, refuse(err), err
	}
	return context.WithoutCancel(ctx), nil, nil // the request's context ends with the handshake
}

// statusOfRefusal returns what a client gets to know of the error of an
// Authenticator.
func statusOfRefusal(err error) *Error {
	if isStatus(err) {
		return asError(err)
	}
	return &Error{code: CodeOf(err), message: "the server could not authenticate the client", cause: err}
}

// refuse returns the refusal that reports an error to the client.
func refuse(err error) *ws.RefusalError {
	status := statusOfRefusal(err)
	code, reason := status.code, status.message
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

// httpStatus returns the HTTP status that is nearest to a code.
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
