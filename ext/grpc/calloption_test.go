package grpcparley_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	talkv1 "github.com/parley-rpc/parley/ext/grpc/internal/gen/talk/v1"
	"github.com/parley-rpc/parley/rpc"
)

// optionCase is a call with options and its expected result. Its caller sends
// the metadata "note: here" and a message of 16 bytes. Both are sent back.
type optionCase struct {
	options []grpc.CallOption
	code    codes.Code            // of the call
	says    string                // the error, if there is one
	served  func(*rpc.Call) error // checks the call in the handler
	after   func() error          // checks what the options have filled in
}

const sixteenBytes = "hello, parley!" // and two before the text

// optionCases has the cases of each of grpc's functions that return a call
// option.
func optionCases() map[string][]optionCase {
	var header, trailer metadata.MD
	var from peer.Peer
	var finished []error
	return map[string][]optionCase{
		"Header":  {{options: list(grpc.Header(&header)), after: func() error { return wantNote(header) }}},
		"Trailer": {{options: list(grpc.Trailer(&trailer)), after: func() error { return wantNote(trailer) }}},
		"Peer": {{options: list(grpc.Peer(&from)), after: func() error {
			if from.Addr == nil || from.LocalAddr == nil || from.AuthInfo != nil {
				return fmt.Errorf("the peer is %v", &from)
			}
			return nil
		}}},
		"OnFinish": {{options: list(grpc.OnFinish(func(err error) { finished = append(finished, err) })), after: func() error {
			if len(finished) != 1 || finished[0] != nil {
				return fmt.Errorf("finished with %v", finished)
			}
			finished = nil
			return nil
		}}},
		"StaticMethod": {{options: list(grpc.StaticMethod())}},
		"WaitForReady": {{options: list(grpc.WaitForReady(true))}, {options: list(grpc.WaitForReady(false))}},
		"FailFast":     {{options: list(grpc.FailFast(true))}}, //nolint:staticcheck // deprecated options are in use
		"MaxCallRecvMsgSize": {
			{options: list(grpc.MaxCallRecvMsgSize(16))},
			{options: list(grpc.MaxCallRecvMsgSize(15)), code: codes.ResourceExhausted, says: "a message of 16 bytes exceeds the receive limit of 15"},
		},
		"MaxCallSendMsgSize": {
			{options: list(grpc.MaxCallSendMsgSize(16))},
			{options: list(grpc.MaxCallSendMsgSize(15)), code: codes.ResourceExhausted, says: "a message of 16 bytes exceeds the send limit of 15"},
		},
		"CallAuthority": {
			{options: list(grpc.CallAuthority("elsewhere")), code: codes.InvalidArgument, says: `CallAuthority("elsewhere") cannot be honored: the authority is`},
		},
		"PerRPCCredentials": {
			{options: list(grpc.PerRPCCredentials(&bearer{token: "x"})), served: func(c *rpc.Call) error {
				if got := c.Header().Get("authorization"); got != "Bearer x" {
					return fmt.Errorf("authorization %q", got)
				}
				return nil
			}},
			{options: list(grpc.PerRPCCredentials(&bearer{secure: true})), code: codes.Unauthenticated, says: "use a wss:// URL"},
			{options: list(grpc.PerRPCCredentials(&bearer{err: errors.New("expired")})), code: codes.Unauthenticated, says: "credentials of the call: expired"},
		},
		"UseCompressor": {
			{options: list(grpc.UseCompressor(gzip.Name))},
			{options: list(grpc.UseCompressor("identity"))},
			{options: list(grpc.UseCompressor("zstd")), code: codes.Unimplemented, says: `unknown compression "zstd"`},
		},
		"acceptCompressors": {
			{options: list(experimental.AcceptCompressors())},
			{options: list(experimental.AcceptCompressors(gzip.Name), grpc.UseCompressor(gzip.Name))},
			{options: list(experimental.AcceptCompressors(), grpc.UseCompressor(gzip.Name)), code: codes.InvalidArgument, says: `responses are compressed as the request is, with "gzip"`},
		},
		"CallContentSubtype": {
			{options: list(grpc.CallContentSubtype("JSON")), served: wantCodec("json")},
			{options: list(grpc.CallContentSubtype("shout")), served: wantCodec("shout")},
			{options: list(grpc.CallContentSubtype("morse")), code: codes.Internal, says: `no codec is registered for the content-subtype "morse"`},
		},
		"ForceCodec": {
			{options: list(grpc.ForceCodec(shout{})), served: wantCodec("shout")},
			{options: list(grpc.ForceCodec(shout{}), grpc.CallContentSubtype("proto")), code: codes.Internal, says: "decode *talkv1.SayRequest as proto"},
		},
		"ForceCodecV2":    {{options: list(grpc.ForceCodecV2(shoutV2{})), served: wantCodec("shout")}},
		"CallCustomCodec": {{options: list(grpc.CallCustomCodec(shout{})), served: wantCodec("shout")}}, //nolint:staticcheck // as FailFast
		"MaxRetryRPCBufferSize": {
			{options: list(grpc.MaxRetryRPCBufferSize(256 << 10))},
			{options: list(grpc.MaxRetryRPCBufferSize(1000)), code: codes.InvalidArgument, says: "MaxRetryRPCBufferSize(1000) cannot be honored: the bound is 262144 bytes"},
		},
	}
}

func list(opts ...grpc.CallOption) []grpc.CallOption { return opts }

func wantNote(md metadata.MD) error {
	if got := md.Get("note"); !slices.Equal(got, []string{"here"}) {
		return fmt.Errorf("got %v", md)
	}
	return nil
}

func wantCodec(name string) func(*rpc.Call) error {
	return func(c *rpc.Call) error {
		if c.CodecName() != name {
			return fmt.Errorf("the codec is %s", c.CodecName())
		}
		return nil
	}
}

// bearer is per-call credentials.
type bearer struct {
	token  string
	secure bool
	err    error
}

func (b *bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"Authorization": "Bearer " + b.token}, b.err
}

func (b *bearer) RequireTransportSecurity() bool { return b.secure }

// watched is a talker that sends its calls to the test. Only the last
// successful call stays in the channel.
type watched struct {
	talker
	last *atomic.Pointer[rpc.Call]
}

func (w watched) Say(ctx context.Context, req *talkv1.SayRequest) (*talkv1.SayResponse, error) {
	res, err := w.talker.Say(ctx, req)
	w.last.Store(rpc.FromContext(ctx))
	return res, err
}

func (w watched) Chat(s grpc.BidiStreamingServer[talkv1.ChatRequest, talkv1.ChatResponse]) error {
	err := w.talker.Chat(s)
	if err == nil { // the call goes on
		w.last.Store(rpc.FromContext(s.Context()))
	}
	return err
}

// optionRig makes calls with options, in both ways.
type optionRig struct {
	stub talkv1.TalkServiceClient
	last atomic.Pointer[rpc.Call]
}

func newOptionRig(t *testing.T) *optionRig {
	r := new(optionRig)
	r.stub = talkv1.NewTalkServiceClient(grpcparley.NewClientConn(talk(t, watched{last: &r.last})))
	return r
}

func (r *optionRig) unary(ctx context.Context, opts ...grpc.CallOption) (string, error) {
	res, err := r.stub.Say(ctx, &talkv1.SayRequest{Text: sixteenBytes}, opts...)
	return res.GetText(), err
}

func (r *optionRig) stream(ctx context.Context, opts ...grpc.CallOption) (string, error) {
	s, err := r.stub.Chat(ctx, opts...)
	if err != nil {
		return "", err
	}
	if err := s.Send(&talkv1.ChatRequest{Text: sixteenBytes}); err != nil {
		return "", err
	}
	if err := s.CloseSend(); err != nil {
		return "", err
	}
	texts, err := drain(s.Recv)
	return strings.Join(texts, ""), err
}

func TestEachOptionOfGRPCIsHonouredOrRefused(t *testing.T) {
	cases := optionCases()
	for _, name := range grpcOptions(t) {
		if len(cases[name]) == 0 {
			t.Errorf("there is no case for grpc.%s", name)
		}
	}
	r := newOptionRig(t)
	for name, all := range cases {
		for i, c := range all {
			t.Run(fmt.Sprint(name, i, "unary"), func(t *testing.T) { r.check(t, c, r.unary) })
			t.Run(fmt.Sprint(name, i, "stream"), func(t *testing.T) { r.check(t, c, r.stream) })
		}
	}
}

// check makes a call with a case's options.
func (r *optionRig) check(t *testing.T, c optionCase, call func(context.Context, ...grpc.CallOption) (string, error)) {
	finished := 0
	opts := append(list(grpc.OnFinish(func(error) { finished++ })), c.options...)
	text, err := call(metadata.AppendToOutgoingContext(t.Context(), "note", "here"), opts...)
	if finished != 1 {
		t.Errorf("the call finished %d times", finished)
	}
	if c.code != codes.OK {
		says := strings.ReplaceAll(c.says, "SayRequest", map[bool]string{true: "SayRequest", false: "ChatRequest"}[strings.HasSuffix(t.Name(), "unary")])
		wantError(t, err, c.code, says)
		return
	}
	if err != nil || text != sixteenBytes {
		t.Fatalf("got %q, %v", text, err)
	}
	if c.served != nil {
		err = errors.Join(err, c.served(r.last.Load()))
	}
	if c.after != nil {
		err = errors.Join(err, c.after())
	}
	if err != nil {
		t.Error(err)
	}
}

// grpcOptions returns the functions of grpc-go that return a call option,
// including those for package experimental.
func grpcOptions(t *testing.T) (names []string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Dir}}", "google.golang.org/grpc").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || f.Type.Results == nil || len(f.Type.Results.List) != 1 {
				continue
			}
			if result, ok := f.Type.Results.List[0].Type.(*ast.Ident); ok && result.Name == "CallOption" {
				names = append(names, f.Name.Name)
			}
		}
	}
	if len(names) < 18 {
		t.Fatalf("found only %q", names)
	}
	return names
}

// The document is a link, because go test does not notice changes of files
// outside of the module.
func TestTheDocumentSaysWhatBecomesOfEachOption(t *testing.T) {
	document, err := os.ReadFile(filepath.Join("testdata", "grpc.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range grpcOptions(t) {
		exported := "`grpc." + name + "`"
		if name == "acceptCompressors" {
			exported = "`experimental.AcceptCompressors`"
		}
		if !bytes.Contains(document, []byte(exported)) {
			t.Errorf("docs/grpc.md does not say what becomes of %s", exported)
		}
	}
}

// Applications wrap grpc's options to pass values to their own interceptors.
func TestAnOptionOfAnApplicationIsTheOneInsideOfIt(t *testing.T) {
	type note struct{ grpc.EmptyCallOption }
	type limit struct {
		grpc.CallOption
		why string
	}
	type inner struct{ grpc.MaxRecvMsgSizeCallOption }
	type nested struct{ inner }
	type authority struct {
		grpc.AuthorityOverrideCallOption
	}
	r := newOptionRig(t)
	small := grpc.MaxRecvMsgSizeCallOption{MaxRecvMsgSize: 1}
	for _, c := range []struct {
		option grpc.CallOption
		code   codes.Code
	}{
		{note{}, codes.OK},
		{&note{}, codes.OK},
		{grpc.EmptyCallOption{}, codes.OK},
		{&small, codes.ResourceExhausted},
		{limit{CallOption: small, why: "small"}, codes.ResourceExhausted},
		{nested{inner{small}}, codes.ResourceExhausted},
		{&nested{inner{small}}, codes.ResourceExhausted},
		{authority{}, codes.InvalidArgument},
		{limit{}, codes.InvalidArgument},
		{grpc.Header(nil), codes.InvalidArgument},
		{grpc.Trailer(nil), codes.InvalidArgument},
		{grpc.Peer(nil), codes.InvalidArgument},
		{grpc.OnFinish(nil), codes.InvalidArgument},
		{grpc.ForceCodec(nil), codes.InvalidArgument},
		{grpc.ForceCodecV2(nil), codes.InvalidArgument},
		{grpc.CallCustomCodec(nil), codes.InvalidArgument}, //nolint:staticcheck // it is deprecated, and in use
		{grpc.PerRPCCredentials(nil), codes.OK},
		{nil, codes.InvalidArgument},
		{(*note)(nil), codes.InvalidArgument},
	} {
		_, err := r.unary(t.Context(), c.option)
		if got := status.Code(err); got != c.code {
			t.Errorf("%T: got %v, want %v", c.option, err, c.code)
		}
	}
}

func TestOptionsOfParleyReachTheCall(t *testing.T) {
	r := newOptionRig(t)
	if _, err := r.unary(t.Context(), grpcparley.CallOptions(rpc.WithMetadata("more", "x"))); err != nil {
		t.Fatal(err)
	}
	if got := r.last.Load().Header().Get("more"); got != "x" {
		t.Errorf("got %q", got)
	}
	_, err := r.unary(t.Context(), grpcparley.CallOptions(rpc.WithMetadata("Not A Key", "x")))
	wantError(t, err, codes.InvalidArgument, "metadata key")
}

func TestOptionsOfAConnectionAreThoseOfEachCall(t *testing.T) {
	client := talk(t, talker{})
	cc := grpcparley.NewClientConn(client, grpcparley.WithCallOptions(grpc.MaxCallRecvMsgSize(15)))
	stub := talkv1.NewTalkServiceClient(cc)
	_, err := stub.Say(t.Context(), &talkv1.SayRequest{Text: sixteenBytes})
	wantCode(t, err, codes.ResourceExhausted)
	if _, err = stub.Say(t.Context(), &talkv1.SayRequest{Text: sixteenBytes}, grpc.MaxCallRecvMsgSize(16)); err != nil {
		t.Errorf("the option of the call does not come after: %v", err)
	}
}
