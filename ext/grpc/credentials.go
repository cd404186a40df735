package grpcparley

import (
	"context"
	"crypto/tls"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/rpc"
)

// destination is what per-call credentials need to know about the target of a
// call.
type destination struct {
	host string               // with its port, unless that is the default of wss; "": unknown
	auth credentials.AuthInfo // nil: not secure
}

// destinationOf returns the target of the calls of c. A client of several
// servers is secure if each of its connections is.
func destinationOf(c rpc.Caller) (to destination) {
	switch c := c.(type) {
	case *rpc.Conn:
		to.host = c.Peer().Host
		if state := c.Peer().TLS; state != nil {
			to.auth = tlsInfo(*state)
		}
	case *rpc.Client: // which may have yet to connect
		insecure := func(u string) bool { return !strings.HasPrefix(strings.ToLower(u), "wss:") }
		if !slices.ContainsFunc(c.URLs(), insecure) {
			to.auth = tlsInfo(tls.ConnectionState{})
		}
		if u, err := url.Parse(c.URLs()[0]); err == nil {
			to.host = u.Host
		}
	}
	to.host = strings.TrimSuffix(to.host, ":443")
	return to
}

// credentialsFor returns the metadata that credentials add to a call.
func credentialsFor(ctx context.Context, creds credentials.PerRPCCredentials, c rpc.Caller, m *rpc.Method) (map[string]string, error) {
	to := destinationOf(c)
	if creds.RequireTransportSecurity() && to.auth == nil {
		return nil, status.Error(codes.Unauthenticated, "grpcparley: the credentials of the call require a secure connection: use a wss:// URL")
	}
	ctx = credentials.NewContextWithRequestInfo(ctx, credentials.RequestInfo{Method: "/" + m.Path(), AuthInfo: to.auth})
	md, err := creds.GetRequestMetadata(ctx, "https://"+to.host+"/"+m.Service)
	if err == nil {
		return md, nil
	}
	if ended := ctx.Err(); ended != nil {
		return nil, status.FromContextError(ended).Err()
	}
	if _, ok := status.FromError(err); ok {
		return nil, err
	}
	return nil, status.Errorf(codes.Unauthenticated, "grpcparley: credentials of the call: %v", err)
}
