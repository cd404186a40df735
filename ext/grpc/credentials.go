package grpcparley

import (
	"context"
	"crypto/tls"
	"net/url"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/rpc"
)

// destination is what credentials of single calls want to know of where the call goes.
type destination struct {
	host string // with its port, unless that is wss's own; "" if it is not known
	auth credentials.AuthInfo
}

// destinationOf returns where the calls of c go. What connects to several servers is
// secure if each of its connections is.
func destinationOf(c rpc.Caller) destination {
	var urls []string
	var state *tls.ConnectionState
	switch c := c.(type) {
	case *rpc.Conn:
		urls, state = []string{c.URL()}, c.Peer().TLS
	case *rpc.Client:
		urls, state = c.URLs(), new(tls.ConnectionState) // it may have yet to connect
		for _, u := range urls {
			if !strings.HasPrefix(strings.ToLower(u), "wss:") {
				state = nil
			}
		}
	}
	var d destination
	if state != nil {
		d.auth = tlsInfo(*state)
	}
	if len(urls) > 0 {
		if u, err := url.Parse(urls[0]); err == nil {
			d.host = strings.TrimSuffix(u.Host, ":443")
		}
	}
	return d
}

// credentialsFor asks for the metadata that credentials add to a call.
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
	if _, ok := status.FromError(err); ok {
		return nil, err
	}
	return nil, status.Errorf(codes.Unauthenticated, "grpcparley: credentials of the call: %v", err)
}
