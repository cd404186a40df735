package grpcparley_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/reflection"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	talkv1 "github.com/parley-rpc/parley/ext/grpc/internal/gen/talk/v1"
	"github.com/parley-rpc/parley/rpc"
)

func TestReflectionListsWhatIsRegistered(t *testing.T) {
	srv := rpc.NewServer()
	registrar := grpcparley.NewRegistrar(srv)
	talkv1.RegisterTalkServiceServer(registrar, talker{})
	reflection.Register(registrar)
	s, err := reflectionpb.NewServerReflectionClient(grpcparley.NewClientConn(connect(t, listen(t, srv)))).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(req *reflectionpb.ServerReflectionRequest) *reflectionpb.ServerReflectionResponse {
		t.Helper()
		if err := s.Send(req); err != nil {
			t.Fatal(err)
		}
		res, err := s.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	var names []string
	for _, svc := range ask(&reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{},
	}).GetListServicesResponse().GetService() {
		names = append(names, svc.GetName())
	}
	if want := []string{"grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection", "talk.v1.TalkService"}; !slices.Equal(names, want) {
		t.Errorf("got %q", names)
	}
	files := ask(&reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "talk.v1.TalkService"},
	}).GetFileDescriptorResponse().GetFileDescriptorProto()
	var file descriptorpb.FileDescriptorProto
	if len(files) != 1 || proto.Unmarshal(files[0], &file) != nil || file.GetPackage() != "talk.v1" {
		t.Errorf("got %v", &file)
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestHealthOfGRPCIsServed(t *testing.T) {
	srv := rpc.NewServer()
	service := health.NewServer()
	healthpb.RegisterHealthServer(grpcparley.NewRegistrar(srv), service)
	client := healthpb.NewHealthClient(grpcparley.NewClientConn(connect(t, listen(t, srv))))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watch, err := client.Watch(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []healthpb.HealthCheckResponse_ServingStatus{healthpb.HealthCheckResponse_SERVING, healthpb.HealthCheckResponse_NOT_SERVING} {
		service.SetServingStatus("", want)
		if res, err := watch.Recv(); err != nil || res.GetStatus() != want {
			t.Fatalf("watched %v, %v", res, err)
		}
		if res, err := client.Check(ctx, &healthpb.HealthCheckRequest{}); err != nil || res.GetStatus() != want {
			t.Errorf("checked %v, %v", res, err)
		}
	}
	_, err = client.Check(ctx, &healthpb.HealthCheckRequest{Service: "nobody"})
	wantCode(t, err, codes.NotFound)
	cancel()
	_, err = watch.Recv()
	wantCode(t, err, codes.Canceled)
}

func TestMalformedOptionsPanic(t *testing.T) {
	for says, option := range map[string]any{
		"WithUnaryClientInterceptors: one is nil":                                              grpcparley.WithUnaryClientInterceptors(nil),
		"WithStreamClientInterceptors: one is nil":                                             grpcparley.WithStreamClientInterceptors(nil),
		"WithUnaryServerInterceptors: one is nil":                                              grpcparley.WithUnaryServerInterceptors(nil),
		"WithStreamServerInterceptors: one is nil":                                             grpcparley.WithStreamServerInterceptors(nil),
		"WithStatsHandler: it is nil":                                                          grpcparley.WithStatsHandler(nil),
		"WithLogger: no Logger":                                                                grpcparley.WithLogger(nil),
		`AllowMetadata: "" is neither a key of metadata nor a prefix of keys followed by *`:    grpcparley.AllowMetadata("x-real-ip", ""),
		`AllowMetadata: "x y" is neither a key of metadata nor a prefix of keys followed by *`: grpcparley.AllowMetadata("x y"),
	} {
		if o, ok := option.(grpcparley.ServerOption); ok {
			wantPanic(t, "grpcparley: "+says, func() { grpcparley.NewRegistrar(rpc.NewMux(), o) })
		}
		if o, ok := option.(grpcparley.ClientOption); ok {
			wantPanic(t, "grpcparley: "+says, func() { grpcparley.NewClientConn(rpc.NewClient("ws://nobody.invalid"), o) })
		}
	}
}

// wantPanic checks the panic of f.
func wantPanic(t *testing.T, says string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if r := recover(); r != says {
			t.Errorf("panicked with %v, want %q", r, says)
		}
	}()
	f()
}

func TestMistakesOfRegistrationPanic(t *testing.T) {
	registrar := grpcparley.NewRegistrar(rpc.NewMux())
	talkv1.RegisterTalkServiceServer(registrar, talker{})
	wantPanic(t, "rpc: service talk.v1.TalkService is registered twice", func() { talkv1.RegisterTalkServiceServer(registrar, talker{}) })
	wantPanic(t, "grpcparley: string does not implement talkv1.TalkServiceServer", func() { registrar.RegisterService(&talkv1.TalkService_ServiceDesc, "a string") })
	info := registrar.GetServiceInfo()
	if names := slices.Collect(maps.Keys(info)); !slices.Equal(names, []string{"talk.v1.TalkService"}) {
		t.Errorf("registered are %q", names)
	}
	want := []grpc.MethodInfo{{Name: "Say"}, {Name: "Listen", IsServerStream: true}, {Name: "Tell", IsClientStream: true}, {Name: "Chat", IsClientStream: true, IsServerStream: true}}
	if got := info["talk.v1.TalkService"]; !slices.Equal(got.Methods, want) || got.Metadata != "talk/v1/talk.proto" {
		t.Errorf("got %v", got)
	}
}

func TestAHandlerFindsWhoCalls(t *testing.T) {
	seen := make(chan *peer.Peer, 1)
	md := make(chan metadata.MD, 1)
	impl := chatter{say: func(ctx context.Context, _ *talkv1.SayRequest) (*talkv1.SayResponse, error) {
		from, _ := peer.FromContext(ctx)
		in, _ := metadata.FromIncomingContext(ctx)
		seen <- from
		md <- in
		return new(talkv1.SayResponse), nil
	}}
	ask := func(url string, opts ...rpc.ClientOption) *peer.Peer {
		t.Helper()
		stub := talkv1.NewTalkServiceClient(grpcparley.NewClientConn(connect(t, url, opts...)))
		if _, err := stub.Say(t.Context(), new(talkv1.SayRequest)); err != nil {
			t.Fatal(err)
		}
		return <-seen
	}
	authenticate := rpc.WithAuthentication(func(r *http.Request) (context.Context, error) {
		return rpc.WithPrincipal(r.Context(), r.Header.Get("X-User")), nil
	})
	plain := rpc.NewServer(authenticate)
	talkv1.RegisterTalkServiceServer(grpcparley.NewRegistrar(plain), impl)
	url := listen(t, plain)

	from := ask(url, rpc.WithHTTPHeader(http.Header{"X-User": {"ann"}, "User-Agent": {"test/1"}}))
	if info, ok := from.AuthInfo.(grpcparley.AuthInfo); !ok || info.Principal != "ann" || info.AuthType() != "parley" ||
		info.SecurityLevel != credentials.NoSecurity || from.Addr == nil || from.LocalAddr == nil {
		t.Errorf("the peer is %v", from)
	}
	got := <-md
	if host := strings.TrimPrefix(url, "ws://"); got.Get(":authority")[0] != host || got.Get("user-agent")[0] != "test/1" {
		t.Errorf("the metadata are %v", got)
	}
	if from := ask(url); from.AuthInfo != nil {
		t.Errorf("the peer is %v", from)
	}
	<-md

	secure := rpc.NewServer(authenticate)
	talkv1.RegisterTalkServiceServer(grpcparley.NewRegistrar(secure), impl)
	url, trust := listenTLS(t, secure)
	from = ask(url, rpc.WithTLS(trust), rpc.WithHTTPHeader(http.Header{"X-User": {"ann"}}))
	if info, ok := from.AuthInfo.(credentials.TLSInfo); !ok || !info.State.HandshakeComplete {
		t.Errorf("the peer is %v", from)
	}
}

// A handler can read client certificates, as with grpc's own credentials.
func TestAHandlerFindsTheIdentityInACertificate(t *testing.T) {
	const id = "spiffe://example.org/device/7"
	seen := make(chan *peer.Peer, 1)
	srv := rpc.NewServer()
	talkv1.RegisterTalkServiceServer(grpcparley.NewRegistrar(srv), chatter{say: func(ctx context.Context, _ *talkv1.SayRequest) (*talkv1.SayResponse, error) {
		from, _ := peer.FromContext(ctx)
		seen <- from
		return new(talkv1.SayResponse), nil
	}})
	url, trust := listenTLS(t, srv)
	for _, names := range [][]string{{id}, {id, "https://example.org"}, {"https://example.org"}, nil} {
		trust := trust.Clone()
		trust.Certificates = []tls.Certificate{certificate(t, names...)}
		stub := talkv1.NewTalkServiceClient(grpcparley.NewClientConn(connect(t, url, rpc.WithTLS(trust))))
		if _, err := stub.Say(t.Context(), new(talkv1.SayRequest)); err != nil {
			t.Fatal(err)
		}
		info, ok := (<-seen).AuthInfo.(credentials.TLSInfo)
		if got := info.SPIFFEID; !ok || (got != nil) != (len(names) == 1 && names[0] == id) || got != nil && got.String() != id {
			t.Errorf("with %q the identity is %v", names, got)
		}
	}
}

// certificate makes a self-signed certificate for a client with these URIs.
func certificate(t *testing.T, names ...string) tls.Certificate {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	for _, name := range names {
		u, err := url.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		template.URIs = append(template.URIs, u)
	}
	der, err := x509.CreateCertificate(nil, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
}

func TestWhatCannotTravelIsRefusedOrLogged(t *testing.T) {
	var log bytes.Buffer
	refused := make(chan error, 4)
	impl := chatter{chat: func(s grpc.BidiStreamingServer[talkv1.ChatRequest, talkv1.ChatResponse]) error {
		refused <- s.SetHeader(metadata.MD{"no key": {"x"}})
		refused <- s.SendHeader(metadata.MD{"no-bytes": {"\x00"}})
		s.SetTrailer(metadata.MD{"no key": {"x"}})
		refused <- s.SendHeader(metadata.Pairs("note", "here"))
		refused <- s.SetHeader(metadata.Pairs("late", "x"))
		return s.SendMsg("no message")
	}}
	client := talk(t, impl, grpcparley.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	s, err := talkv1.NewTalkServiceClient(grpcparley.NewClientConn(client)).Chat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, s.RecvMsg(new(talkv1.ChatResponse)), codes.Internal, "encode string as proto")
	wantError(t, <-refused, codes.InvalidArgument, `metadata key "no key"`)
	wantError(t, <-refused, codes.InvalidArgument, `metadata "no-bytes"`)
	if err := <-refused; err != nil {
		t.Error(err)
	}
	wantError(t, <-refused, codes.FailedPrecondition, `header "late" is set too late`)
	if h, err := s.Header(); err != nil || wantNote(h) != nil {
		t.Errorf("header %v, %v", h, err)
	}
	if got := log.String(); !strings.Contains(got, "a trailer was not set") || !strings.Contains(got, "/talk.v1.TalkService/Chat") {
		t.Errorf("logged %q", got)
	}
}

func TestACodecThatTheServerDoesNotKnowIsUnimplemented(t *testing.T) {
	client := talk(t, talker{})
	s, err := client.Open(t.Context(), &rpc.Method{Service: "talk.v1.TalkService", Name: "Say"}, rpc.WithRawCodec("morse"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	raw := rpc.Raw("...")
	if err = s.Send(&raw); err == nil { // otherwise the status has arrived already
		err = s.Recv(&raw)
	}
	if rpc.CodeOf(err) != rpc.CodeUnimplemented || !strings.Contains(err.Error(), `codec "morse" is not registered`) {
		t.Errorf("got %v", err)
	}
}

// TestHandlerGetsNothingThatProxiesSetFromACall: a proxy in front of the server
// cannot see a call's metadata, so it removes nothing from it.
func TestHandlerGetsNothingThatProxiesSetFromACall(t *testing.T) {
	says := []string{"x-forwarded-client-cert", "x_real_ip", "x-auth-request-user-bin", "x-forwarded-host", "x-tenant"}
	for name, c := range map[string]struct {
		opts []grpcparley.ServerOption
		want []string
	}{
		"by itself": {nil, []string{"x-tenant"}},
		"allowed":   {[]grpcparley.ServerOption{grpcparley.AllowMetadata("X-Forwarded-Host", "x-*")}, []string{"x-forwarded-host", "x-tenant"}},
	} {
		md := make(chan metadata.MD, 1)
		tell := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			in, _ := metadata.FromIncomingContext(ctx)
			md <- in
			return handler(ctx, req)
		}
		client := talk(t, talker{}, append(c.opts, grpcparley.WithUnaryServerInterceptors(tell))...)
		ctx := t.Context()
		for _, key := range says {
			ctx = metadata.AppendToOutgoingContext(ctx, key, "admin")
		}
		if _, err := talkv1.NewTalkServiceClient(grpcparley.NewClientConn(client)).Say(ctx, &talkv1.SayRequest{}); err != nil {
			t.Fatal(err)
		}
		var got []string
		for key, values := range <-md {
			if slices.Contains(values, "admin") {
				got = append(got, key)
			}
		}
		if slices.Sort(got); !slices.Equal(got, c.want) {
			t.Errorf("%s: the handler got %q, want %q", name, got, c.want)
		}
	}
}
