package reflection_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	_ "google.golang.org/protobuf/types/gofeaturespb" // has an extension
	_ "google.golang.org/protobuf/types/known/apipb"  // imports others

	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	reflectionv1 "github.com/parley-rpc/parley/gen/parley/reflection/v1"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/rpc/reflection"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type (
	question = reflectionv1.ServerReflectionRequest
	answer   = reflectionv1.ServerReflectionResponse // answer stores the answer to a question in res.
)

// asker sends requests to a server on one stream.
type asker struct {
	t      *testing.T
	stream rpc.Duplex[question, answer]
}

// ask opens a stream to a server that serves PingService.
func ask(t *testing.T, service string) *asker {
	t.Helper()
	srv := rpc.NewServer()
	reflection.Register(srv)
	pingv1parley.RegisterPingServiceServer(srv, pingv1parley.UnimplementedPingServiceServer{})
	web := httptest.NewServer(srv)
	client := rpc.NewClient("ws" + strings.TrimPrefix(web.URL, "http"))
	t.Cleanup(func() {
		client.Close()
		srv.Close()
		web.Close()
	})
	m := &rpc.Method{Service: service, Name: "ServerReflectionInfo", ClientStreams: true, ServerStreams: true}
	s, err := rpc.CallBidi[question, answer](context.Background(), client, m)
	if err != nil {
		t.Fatal(err)
	}
	return &asker{t, s}
}

// one sends a request and returns the response.
func (a *asker) one(q *question) *answer {
	a.t.Helper()
	q.Host = "here"
	if err := a.stream.Send(q); err != nil {
		a.t.Fatal(err)
	}
	res, err := a.stream.Recv()
	if err != nil {
		a.t.Fatal(err)
	}
	if res.ValidHost != "here" || !proto.Equal(res.OriginalRequest, q) {
		a.t.Errorf("it answers %v", res.OriginalRequest)
	}
	return res
}

// files returns the paths of the files in a response.
func (a *asker) files(res *answer) (paths []string) {
	a.t.Helper()
	for _, encoded := range res.GetFileDescriptorResponse().GetFileDescriptorProto() {
		file := new(descriptorpb.FileDescriptorProto)
		if err := proto.Unmarshal(encoded, file); err != nil {
			a.t.Fatal(err)
		}
		paths = append(paths, file.GetName())
	}
	return paths
}

func bySymbol(name string) *question {
	return &question{MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: name}}
}

func byPath(path string) *question {
	return &question{MessageRequest: &reflectionv1.ServerReflectionRequest_FileByFilename{FileByFilename: path}}
}

func byExtension(message string, number int32) *question {
	return &question{MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingExtension{
		FileContainingExtension: &reflectionv1.ExtensionRequest{ContainingType: message, ExtensionNumber: number}}}
}

func extensions(message string) *question {
	return &question{MessageRequest: &reflectionv1.ServerReflectionRequest_AllExtensionNumbersOfType{AllExtensionNumbersOfType: message}}
}

func list() *question {
	return &question{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}
}

func TestServicesAreListedUnderBothNames(t *testing.T) {
	for _, name := range []string{reflection.ServiceName, reflection.AlphaServiceName} {
		var got []string
		for _, s := range ask(t, name).one(list()).GetListServicesResponse().GetService() {
			got = append(got, s.Name)
		}
		if want := []string{reflection.ServiceName, reflection.AlphaServiceName, "parley.ping.v1.PingService"}; !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	}
}

func TestDefinitionsAreFoundByWhatTheyDefine(t *testing.T) {
	a := ask(t, reflection.ServiceName)
	const ping = "parley/ping/v1/ping.proto"
	for name, q := range map[string]*question{
		"a service": bySymbol("parley.ping.v1.PingService"),
		"a method":  bySymbol("parley.ping.v1.PingService.Ping"),
		"a message": bySymbol("parley.ping.v1.PingRequest"),
		"a field":   bySymbol("parley.ping.v1.PingRequest.text"),
		"a file":    byPath(ping),
	} {
		if got := a.files(a.one(q)); !slices.Equal(got, []string{ping}) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestAFileComesWithWhatItImportsOnce(t *testing.T) {
	a := ask(t, reflection.ServiceName)
	// The file with the definition comes each time, the others once.
	const api, types = "google/protobuf/api.proto", "google/protobuf/type.proto"
	got := a.files(a.one(byPath(types)))
	if want := []string{types, "google/protobuf/any.proto", "google/protobuf/source_context.proto"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if got := a.files(a.one(byPath(types))); !slices.Equal(got, []string{types}) {
		t.Errorf("then %q", got)
	}
	if got := a.files(a.one(byPath(api))); !slices.Equal(got, []string{api}) {
		t.Errorf("at last %q", got)
	}
}

func TestExtensionsAreFoundByTheirNumbers(t *testing.T) {
	a := ask(t, reflection.ServiceName)
	if got := a.one(extensions("google.protobuf.FeatureSet")).GetAllExtensionNumbersResponse().GetExtensionNumber(); !slices.Equal(got, []int32{1002}) {
		t.Errorf("got %v", got)
	}
	if got := a.files(a.one(byExtension("google.protobuf.FeatureSet", 1002))); len(got) == 0 || got[0] != "google/protobuf/go_features.proto" {
		t.Errorf("got %q", got)
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	a := ask(t, reflection.ServiceName)
	for name, q := range map[string]*question{
		"a symbol":                   bySymbol("no.Such"),
		"a malformed symbol":         bySymbol("..\n"),
		"a file":                     byPath("no/such.proto"),
		"an extension":               byExtension("google.protobuf.MessageOptions", 1),
		"no extension":               {MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingExtension{}},
		"extensions of no message":   extensions("no.Such"),
		"extensions of what is none": extensions("parley.ping.v1.PingService"),
	} {
		if got := a.one(q).GetErrorResponse(); got.GetErrorCode() != int32(rpc.CodeNotFound) || got.GetErrorMessage() == "" {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := a.one(&question{}).GetErrorResponse(); got.GetErrorCode() != int32(rpc.CodeInvalidArgument) {
		t.Errorf("nothing: %v", got)
	}
	// The stream goes on.
	if got := a.one(extensions("parley.ping.v1.PingRequest")).GetAllExtensionNumbersResponse(); got.GetBaseTypeName() != "parley.ping.v1.PingRequest" || len(got.GetExtensionNumber()) != 0 {
		t.Errorf("got %v", got)
	}
}

// TestLargeQuestionIsRefusedAndNotEchoed: otherwise the request would be kept
// until the caller has read the response.
func TestLargeQuestionIsRefusedAndNotEchoed(t *testing.T) {
	large := strings.Repeat("x", 1<<20)
	unknown := &question{}
	unknown.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 100, protowire.BytesType), []byte(large)))
	for name, q := range map[string]*question{
		"a symbol":         bySymbol(large),
		"a file":           byPath(large),
		"an extension":     byExtension(large, 1),
		"extensions":       extensions(large),
		"a host":           {Host: large},
		"an unknown field": unknown,
	} {
		a := ask(t, reflection.ServiceName)
		if err := a.stream.Send(q); err != nil {
			t.Fatal(err)
		}
		res, err := a.stream.Recv()
		if !errors.Is(err, rpc.CodeInvalidArgument) || !strings.Contains(err.Error(), "exceeds the limit of 4096") || len(err.Error()) > 200 {
			t.Errorf("%s: %v, %.200v", name, res, err)
		}
	}
}

// TestUnknownNameIsNotEchoedAtLength: an error contains only the beginning of
// the name.
func TestUnknownNameIsNotEchoedAtLength(t *testing.T) {
	a := ask(t, reflection.ServiceName)
	long := strings.Repeat("\x01", 3000)
	for name, q := range map[string]*question{
		"a symbol": bySymbol(long), "a file": byPath(long), "an extension": byExtension(long, 1), "extensions": extensions(long),
	} {
		if text := a.one(q).GetErrorResponse().GetErrorMessage(); text == "" || len(text) > 1000 {
			t.Errorf("%s: the error has %d bytes", name, len(text))
		}
	}
}

func TestAMuxListsItsServicesToo(t *testing.T) {
	mux := rpc.NewMux()
	reflection.Register(mux)
	if got := mux.Services(); !slices.Equal(got, []string{reflection.ServiceName, reflection.AlphaServiceName}) {
		t.Errorf("got %q", got)
	}
}
