package grpcparley_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	talkv1 "github.com/parley-rpc/parley/ext/grpc/internal/gen/talk/v1"
	"github.com/parley-rpc/parley/rpc"
)

// listenTLS starts a server with TLS, and returns its URL and a TLS
// configuration that trusts it. The server accepts any client certificate.
func listenTLS(t *testing.T, srv *rpc.Server) (url string, trust *tls.Config) {
	t.Helper()
	web := httptest.NewUnstartedServer(srv)
	web.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	web.StartTLS()
	t.Cleanup(func() {
		_ = srv.Close()
		web.Close()
	})
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	return "wss" + strings.TrimPrefix(web.URL, "https"), &tls.Config{RootCAs: roots, ServerName: "example.com"}
}

// prudent is credentials that check the connection, as those of oauth do.
type prudent struct{ audience chan string }

func (p prudent) GetRequestMetadata(ctx context.Context, uri ...string) (map[string]string, error) {
	info, _ := credentials.RequestInfoFromContext(ctx)
	if err := credentials.CheckSecurityLevel(info.AuthInfo, credentials.PrivacyAndIntegrity); err != nil {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	p.audience <- strings.Join(append(uri, info.Method), " ")
	return map[string]string{"authorization": "Bearer y"}, nil
}

func (prudent) RequireTransportSecurity() bool { return true }

func TestSecureCredentialsTravelWithTLS(t *testing.T) {
	var last atomic.Pointer[rpc.Call]
	srv := rpc.NewServer()
	talkv1.RegisterTalkServiceServer(grpcparley.NewRegistrar(srv), watched{last: &last})
	url, trust := listenTLS(t, srv)
	client := connect(t, url, rpc.WithTLS(trust))
	conn, err := client.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	creds := prudent{make(chan string, 1)}
	for _, caller := range []rpc.Caller{client, conn} {
		var to peer.Peer
		stub := talkv1.NewTalkServiceClient(grpcparley.NewClientConn(caller))
		if _, err := stub.Say(t.Context(), new(talkv1.SayRequest), grpc.PerRPCCredentials(creds), grpc.Peer(&to)); err != nil {
			t.Fatal(err)
		}
		if got := last.Load().Header().Get("authorization"); got != "Bearer y" {
			t.Errorf("authorization %q", got)
		}
		host := strings.TrimSuffix(strings.TrimPrefix(url, "wss://"), "/")
		if got, want := <-creds.audience, "https://"+host+"/talk.v1.TalkService /talk.v1.TalkService/Say"; got != want {
			t.Errorf("the credentials are for %q, want %q", got, want)
		}
		if info, ok := to.AuthInfo.(credentials.TLSInfo); !ok || len(info.State.PeerCertificates) == 0 || info.SecurityLevel != credentials.PrivacyAndIntegrity {
			t.Errorf("the peer is %v", to)
		}
	}
}

func TestSecureCredentialsDoNotTravelWithoutTLS(t *testing.T) {
	var last atomic.Pointer[rpc.Call]
	client := talk(t, watched{last: &last})
	conn, err := client.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	half := rpc.NewClient("wss://one.invalid", rpc.WithURLs("ws://two.invalid"))
	defer half.Close()
	type unknownCaller struct{ rpc.Caller } // of which nothing is known
	for _, caller := range []rpc.Caller{client, conn, half, unknownCaller{client}} {
		stub := talkv1.NewTalkServiceClient(grpcparley.NewClientConn(caller, grpcparley.WithCallOptions(grpc.PerRPCCredentials(&bearer{secure: true}))))
		_, err := stub.Say(t.Context(), new(talkv1.SayRequest))
		wantError(t, err, codes.Unauthenticated, "require a secure connection")
		_, err = stub.Chat(t.Context())
		wantError(t, err, codes.Unauthenticated, "require a secure connection")
		_, err = stub.Say(t.Context(), new(talkv1.SayRequest), grpc.PerRPCCredentials(prudent{}))
		wantError(t, err, codes.Unauthenticated, "require a secure connection")
	}
	failing := status.Error(codes.PermissionDenied, "revoked")
	_, err = talkv1.NewTalkServiceClient(grpcparley.NewClientConn(client)).
		Say(t.Context(), new(talkv1.SayRequest), grpc.PerRPCCredentials(&bearer{err: failing}))
	wantError(t, err, codes.PermissionDenied, "revoked")
	if last.Load() != nil {
		t.Error("a call was served")
	}
}

// slow is credentials that take longer than the call's deadline.
type slow struct{ bearer }

func (slow) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	<-ctx.Done()
	return nil, errors.New("no token")
}

func TestCredentialsHaveTheTimeOfTheCall(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	stub := talkv1.NewTalkServiceClient(grpcparley.NewClientConn(talk(t, talker{})))
	_, err := stub.Say(ctx, new(talkv1.SayRequest), grpc.PerRPCCredentials(&slow{}))
	wantCode(t, err, codes.DeadlineExceeded)
}
