package codegen_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/parley-rpc/parley/internal/codegen/testdata/gen/clash"
	"github.com/parley-rpc/parley/internal/codegen/testdata/gen/clash/clashparley"
	v1 "github.com/parley-rpc/parley/internal/codegen/testdata/gen/cross/a/v1"
	bv1 "github.com/parley-rpc/parley/internal/codegen/testdata/gen/cross/b/v1"
	"github.com/parley-rpc/parley/internal/codegen/testdata/gen/cross/crossparley"
	crossreq "github.com/parley-rpc/parley/internal/codegen/testdata/gen/cross/req"
	"github.com/parley-rpc/parley/internal/codegen/testdata/gen/edition"
	"github.com/parley-rpc/parley/internal/codegen/testdata/gen/edition/editionparley"
	"github.com/parley-rpc/parley/internal/codegen/testdata/gen/keywords"
	"github.com/parley-rpc/parley/internal/codegen/testdata/gen/keywords/keywordsparley"
	"github.com/parley-rpc/parley/internal/codegen/testdata/gen/kinds"
	"github.com/parley-rpc/parley/internal/codegen/testdata/gen/kinds/kindsparley"
	oldpb "github.com/parley-rpc/parley/internal/codegen/testdata/gen/legacy"
	"github.com/parley-rpc/parley/internal/codegen/testdata/gen/legacy/oldpbparley"
	"github.com/parley-rpc/parley/internal/codegen/testdata/gen/samepkg"
	"github.com/parley-rpc/parley/rpc"
)

// connect returns a client of a server with the services that register adds.
func connect(t *testing.T, register func(rpc.Registrar)) *rpc.Client {
	t.Helper()
	server := rpc.NewServer()
	register(server)
	listener := httptest.NewServer(server)
	client := rpc.NewClient("ws" + strings.TrimPrefix(listener.URL, "http"))
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("close the client: %v", err)
		}
		if err := server.Close(); err != nil {
			t.Errorf("close the server: %v", err)
		}
		listener.Close()
	})
	return client
}

func number(v int64) *kinds.Number { return &kinds.Number{Value: v} }

// calculator serves one method of each kind, and leaves one of each kind to the
// struct that it embeds.
type calculator struct {
	kindsparley.UnimplementedCalculatorServer
}

func (calculator) Square(_ context.Context, req *kinds.Number) (*kinds.Number, error) {
	return number(req.Value * req.Value), nil
}

func (calculator) Sum(_ context.Context, in rpc.Receiver[kinds.Number]) (*kinds.Number, error) {
	var sum int64
	for n, err := range in.All() {
		if err != nil {
			return nil, err
		}
		sum += n.Value
	}
	return number(sum), nil
}

func (calculator) Count(_ context.Context, req *kinds.Number, out rpc.Sender[kinds.Number]) error {
	for n := range req.Value {
		if err := out.Send(number(n + 1)); err != nil {
			return err
		}
	}
	return nil
}

func (calculator) Totals(_ context.Context, in rpc.Receiver[kinds.Number], out rpc.Sender[kinds.Number]) error {
	var sum int64
	for n, err := range in.All() {
		if err != nil {
			return err
		}
		sum += n.Value
		if err := out.Send(number(sum)); err != nil {
			return err
		}
	}
	return nil
}

func connectCalculator(t *testing.T) kindsparley.CalculatorClient {
	client := connect(t, func(r rpc.Registrar) { kindsparley.RegisterCalculatorServer(r, calculator{}) })
	return kindsparley.NewCalculatorClient(client)
}

func TestUnaryMethodIsCalled(t *testing.T) {
	square, err := connectCalculator(t).Square(t.Context(), number(7))
	if err != nil || square.Value != 49 {
		t.Errorf("got %v, %v; want 49", square, err)
	}
}

func TestClientStreamIsCalled(t *testing.T) {
	upload, err := connectCalculator(t).Sum(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n := range int64(4) {
		if err := upload.Send(number(n + 1)); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := upload.CloseAndRecv()
	if err != nil || sum.Value != 10 {
		t.Errorf("got %v, %v; want 10", sum, err)
	}
}

func TestServerStreamIsCalled(t *testing.T) {
	receiver, err := connectCalculator(t).Count(t.Context(), number(3))
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for n, err := range receiver.All() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, n.Value)
	}
	if fmt.Sprint(got) != "[1 2 3]" {
		t.Errorf("got %v, want [1 2 3]", got)
	}
}

func TestBidiStreamIsCalled(t *testing.T) {
	duplex, err := connectCalculator(t).Totals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int64{5, 10, 15} {
		if err := duplex.Send(number(5)); err != nil {
			t.Fatal(err)
		}
		got, err := duplex.Recv()
		if err != nil || got.Value != want {
			t.Fatalf("answer %d: got %v, %v; want %d", i+1, got, err, want)
		}
	}
	if err := duplex.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for n, err := range duplex.All() {
		t.Errorf("got %v, %v after the last answer", n, err)
	}
}

func TestUnimplementedMethodsSayWhichTheyAre(t *testing.T) {
	client, ctx := connectCalculator(t), t.Context()
	drain := func(receiver rpc.Receiver[kinds.Number], err error) error {
		if err == nil {
			_, err = receiver.Recv()
		}
		return err
	}
	calls := map[string]func() error{
		"Divide":  func() error { _, err := client.Divide(ctx, number(1)); return err },
		"Factors": func() error { return drain(client.Factors(ctx, number(1))) },
		"Product": func() error {
			upload, err := client.Product(ctx)
			if err == nil {
				_, err = upload.CloseAndRecv()
			}
			return err
		},
		"Products": func() error {
			duplex, err := client.Products(ctx)
			if err == nil {
				_, err = duplex.Recv()
			}
			return err
		},
	}
	for name, call := range calls {
		err := call()
		if !errors.Is(err, rpc.CodeUnimplemented) {
			t.Errorf("%s: got %v, want CodeUnimplemented", name, err)
		}
		var status *rpc.Error
		if want := "kinds.Calculator/" + name + " is not implemented"; !errors.As(err, &status) || status.Message() != want {
			t.Errorf("%s: got %v, want the message %q", name, err, want)
		}
	}
}

func TestMethodsWithClashingNamesReachTheirHandlers(t *testing.T) {
	client := clashparley.NewUserClient(connect(t, func(r rpc.Registrar) {
		clashparley.RegisterUserServer(r, clashparley.UnimplementedUserServer{})
		// They have the names of parts of User.
		clashparley.RegisterNewUser_Server(r, clashparley.UnimplementedNewUser_Server{})
		clashparley.RegisterRegisterUser_Server(r, clashparley.UnimplementedRegisterUser_Server{})
		clashparley.RegisterUnimplementedUser_Server(r, clashparley.UnimplementedUnimplementedUser_Server{})
		clashparley.RegisterUserGroupServer(r, clashparley.UnimplementedUserGroupServer{})
		clashparley.RegisterUserGroup_Server(r, clashparley.UnimplementedUserGroup_Server{})
		clashparley.RegisterUserClientServer(r, clashparley.UnimplementedUserClientServer{})
	}))
	calls := map[string]func(context.Context, *clash.Item, ...rpc.CallOption) (*clash.Item, error){
		"GetItem":  client.GetItem,
		"getItem":  client.GetItem_,
		"Get_item": client.Get_item,
		"get_item": client.Get_item_,
	}
	for name, call := range calls {
		_, err := call(t.Context(), &clash.Item{})
		var status *rpc.Error
		if want := "clash.User/" + name + " is not implemented"; !errors.As(err, &status) || status.Message() != want {
			t.Errorf("%s: got %v, want an answer that names the method", name, err)
		}
	}
}

type words struct {
	keywordsparley.UnimplementedWordsServer
}

func (words) Func(context.Context, *keywords.Context) (*keywords.Sender, error) {
	return &keywords.Sender{}, nil
}

func (words) Select(_ context.Context, in rpc.Receiver[keywords.Receiver], out rpc.Sender[keywords.Sender]) error {
	if _, err := in.Recv(); err != nil {
		return err
	}
	return out.Send(&keywords.Sender{})
}

func (words) String(context.Context, *keywords.String_) (*keywords.Rpc, error) {
	return &keywords.Rpc{}, nil
}

func TestMethodsNamedLikeKeywordsAreCallable(t *testing.T) {
	client := keywordsparley.NewWordsClient(connect(t, func(r rpc.Registrar) {
		keywordsparley.RegisterWordsServer(r, words{})
		keywordsparley.RegisterTypeServer(r, keywordsparley.UnimplementedTypeServer{})
	}))
	if _, err := client.Func(t.Context(), &keywords.Context{}); err != nil {
		t.Errorf("func: %v", err)
	}
	if _, err := client.String(t.Context(), &keywords.String_{}); err != nil {
		t.Errorf("string: %v", err)
	}
	duplex, err := client.Select(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := duplex.Send(&keywords.Receiver{}); err != nil {
		t.Errorf("select: %v", err)
	}
	for _, err := range duplex.All() {
		if err != nil {
			t.Errorf("select: %v", err)
		}
	}
}

type traveler struct{}

func (traveler) Go(_ context.Context, req *v1.Left) (*bv1.Right, error) {
	return &bv1.Right{Name: req.Name + " and right"}, nil
}

func (traveler) Carry(_ context.Context, in rpc.Receiver[crossreq.Thing]) (*emptypb.Empty, error) {
	for thing, err := range in.All() {
		if err != nil {
			return nil, err
		}
		if thing.Name != "suitcase" {
			return nil, rpc.Errorf(rpc.CodeInvalidArgument, "unexpected %s", thing.Name)
		}
	}
	return &emptypb.Empty{}, nil
}

func TestMessagesOfOtherPackagesTravel(t *testing.T) {
	client := crossparley.NewTravelerClient(connect(t, func(r rpc.Registrar) {
		crossparley.RegisterTravelerServer(r, traveler{})
	}))
	right, err := client.Go(t.Context(), &v1.Left{Name: "left"})
	if err != nil || right.Name != "left and right" {
		t.Errorf("Go: got %v, %v", right, err)
	}
	upload, err := client.Carry(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := upload.Send(&crossreq.Thing{Name: "suitcase"}); err != nil {
		t.Errorf("Carry: %v", err)
	}
	if _, err := upload.CloseAndRecv(); err != nil {
		t.Errorf("Carry: %v", err)
	}
}

type search struct{}

func (search) Find(_ context.Context, req *oldpb.Query) (*oldpb.Query_Nested, error) {
	hit := &oldpb.Query_Nested_Hit{Name: proto.String(fmt.Sprintf("%s at most %d times", req.GetText(), req.GetLimit()))}
	return &oldpb.Query_Nested{Hit: []*oldpb.Query_Nested_Hit{hit}}, nil
}

type echo struct{}

func (echo) Say(_ context.Context, req *edition.Line) (*edition.Line, error) {
	return &edition.Line{Text: "you said", Quoted: req}, nil
}

func TestMessagesOfEverySyntaxTravel(t *testing.T) {
	client := connect(t, func(r rpc.Registrar) {
		oldpbparley.RegisterSearchServer(r, search{})
		editionparley.RegisterEchoServer(r, echo{})
	})
	found, err := oldpbparley.NewSearchClient(client).Find(t.Context(), &oldpb.Query{Text: proto.String("needle")})
	if err != nil || len(found.Hit) != 1 || found.Hit[0].GetName() != "needle at most 10 times" {
		t.Errorf("proto2: got %v, %v", found, err)
	}
	line, err := editionparley.NewEchoClient(client).Say(t.Context(), &edition.Line{Text: "hello"})
	if err != nil || line.GetQuoted().GetText() != "hello" {
		t.Errorf("edition 2023: got %v, %v", line, err)
	}
}

type plain struct{}

func (plain) Say(_ context.Context, in rpc.Receiver[samepkg.Context], out rpc.Sender[samepkg.Sender]) error {
	for _, err := range in.All() {
		if err != nil {
			return err
		}
		if err := out.Send(&samepkg.Sender{}); err != nil {
			return err
		}
	}
	return nil
}

func TestStubsBesideTheirMessagesAreCallable(t *testing.T) {
	client := samepkg.NewPlainClient(connect(t, func(r rpc.Registrar) {
		samepkg.RegisterPlainServer(r, plain{})
		samepkg.RegisterEcho_Server(r, samepkg.UnimplementedEcho_Server{})
	}))
	duplex, err := client.Say(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := duplex.Send(&samepkg.Context{}); err != nil {
		t.Fatal(err)
	}
	if _, err := duplex.Recv(); err != nil {
		t.Error(err)
	}
	if err := duplex.Close(); err != nil {
		t.Error(err)
	}
}
