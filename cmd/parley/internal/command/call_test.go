package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/reflection"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/parley-rpc/parley/cmd/parley/internal/command"
	"github.com/parley-rpc/parley/examples/pinger"
	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/rpc/health"
	nativereflection "github.com/parley-rpc/parley/rpc/reflection"
)

// pingEndpoint serves PingService without reflection.
func pingEndpoint(t *testing.T) string {
	t.Helper()
	srv := rpc.NewServer()
	pingv1parley.RegisterPingServiceServer(srv, pinger.Service{})
	return endpoint(t, srv)
}

// reflecting serves a service of grpc's stubs, with reflection.
func reflecting(t *testing.T) string {
	t.Helper()
	srv := rpc.NewServer()
	registrar := grpcparley.NewRegistrar(srv)
	testgrpc.RegisterTestServiceServer(registrar, &tester{})
	reflection.Register(registrar)
	return endpoint(t, srv)
}

// pingProto is the flags that read the definition of PingService from its file.
var pingProto = []string{"-I", "../../../../proto", "--proto", "parley/ping/v1/ping.proto"}

// callPing calls a method of PingService, with in as standard input.
func callPing(t *testing.T, in, url, method string, args ...string) result {
	t.Helper()
	return runWith(t.Context(), in, append(append([]string{"call", url, "parley.ping.v1.PingService/" + method}, pingProto...), args...)...)
}

func TestCallsOfAllKindsAreMade(t *testing.T) {
	url := pingEndpoint(t)
	for _, c := range []struct {
		method, in string
		args       []string
		out        string
	}{
		{"Ping", "", []string{"-d", `{"text":"hello"}`}, "{\n  \"text\": \"hello\"\n}\n"},
		{"Ping", "", nil, "{}\n"},
		{"Ping", "", []string{"-o", "json", "--emit-defaults"}, "{\"text\":\"\"}\n"},
		{"Ping", `{"text":"read"}`, []string{"-d", "@", "-o", "json"}, "{\"text\":\"read\"}\n"},
		{"CountUp", "", []string{"-d", `{"to":3}`, "-o", "json"}, "{\"number\":\"1\"}\n{\"number\":\"2\"}\n{\"number\":\"3\"}\n"},
		{"Sum", "", []string{"-d", `{"number":1} {"number":2}`, "-o", "json"}, "{\"sum\":\"3\",\"count\":\"2\"}\n"},
		{"Sum", "{\"number\":1}\n{\"number\":4}\n", []string{"-o", "json"}, "{\"sum\":\"5\",\"count\":\"2\"}\n"},
		{"Sum", "ignored", []string{"-d", "", "-o", "json"}, "{}\n"},
		{"CumSum", "{\"number\":1}\n{\"number\":4}\n", []string{"-o", "json"}, "{\"sum\":\"1\"}\n{\"sum\":\"5\"}\n"},
	} {
		r := callPing(t, c.in, url, c.method, c.args...)
		if r.exit != 0 || r.out != c.out || r.err != "" {
			t.Errorf("%s %v: exit code %d, %q, %s; want %q", c.method, c.args, r.exit, r.out, r.err, c.out)
		}
	}
}

// TestAnswersArePrintedAsTheyCome checks that responses are printed while the
// call waits for more input.
func TestAnswersArePrintedAsTheyCome(t *testing.T) {
	url := pingEndpoint(t)
	stdin, typed := io.Pipe()
	printed, stdout := io.Pipe()
	done := make(chan int, 1)
	var stderr bytes.Buffer
	go func() {
		done <- command.Run(t.Context(), append([]string{"call", url, "parley.ping.v1.PingService/CumSum", "-o", "json"}, pingProto...),
			command.Streams{In: stdin, Out: stdout, Err: &stderr})
		stdout.Close()
	}()
	answers := json.NewDecoder(printed)
	for _, want := range []string{"2", "4", "6"} {
		if _, err := io.WriteString(typed, "{\"number\":2}\n"); err != nil {
			t.Fatal(err)
		}
		var got struct{ Sum string }
		if err := answers.Decode(&got); err != nil || got.Sum != want {
			t.Fatalf("%+v, %v; want %s", got, err, want)
		}
	}
	typed.Close()
	if exit := <-done; exit != 0 {
		t.Errorf("exit code %d: %s", exit, &stderr)
	}
}

// TestACallThatEndsDoesNotWaitForTheKeyboard has an input that does not end.
func TestACallThatEndsDoesNotWaitForTheKeyboard(t *testing.T) {
	url := pingEndpoint(t)
	stdin, typed := io.Pipe()
	defer typed.Close()
	done := make(chan int, 1)
	var stderr bytes.Buffer
	go func() {
		done <- command.Run(t.Context(), append([]string{"call", url, "parley.ping.v1.PingService/CumSum"}, pingProto...),
			command.Streams{In: stdin, Out: io.Discard, Err: &stderr})
	}()
	for range 2 { // a sum beyond int64 ends the call
		if _, err := io.WriteString(typed, `{"number":"9223372036854775807"}`+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	if exit := <-done; exit != 1 || !strings.HasPrefix(stderr.String(), "parley: OUT_OF_RANGE: ") {
		t.Errorf("exit code %d: %s", exit, &stderr)
	}
}

func TestAStatusIsPrintedWithItsDetails(t *testing.T) {
	url := pingEndpoint(t)
	r := callPing(t, "", url, "Ping", "-d", `{"text":"hello","failCode":5}`)
	if want := "parley: NOT_FOUND: failing as asked\n" +
		`  detail: {"@type":"type.googleapis.com/parley.ping.v1.PingFailure","hint":"leave fail_code out","text":"hello"}` + "\n"; r.exit != 1 || r.err != want || r.out != "" {
		t.Errorf("exit code %d: %s", r.exit, r.err)
	}
	r = callPing(t, "", url, "Ping", "-d", `{"failCode":7}`, "-o", "json")
	var got struct {
		Error struct {
			Exit          int
			Code, Message string
			Details       []struct{ Hint string }
		}
	}
	if err := json.Unmarshal([]byte(r.err), &got); err != nil || r.exit != 1 || got.Error.Exit != 1 || got.Error.Code != "PERMISSION_DENIED" ||
		len(got.Error.Details) != 1 || got.Error.Details[0].Hint == "" {
		t.Errorf("%v: %s", err, r.err)
	}
	callPing(t, "", url, "Ping", "-d", `{"delayMs":60000}`, "--timeout", "20ms").wantFailure(t, 1, "DEADLINE_EXCEEDED: ")
	// A client's stream that cannot be opened has a status too.
	callPing(t, "", url, "Sum", "-d", `{}`, "-H", "parley-x: 1").wantFailure(t, 1, "INVALID_ARGUMENT: ")
}

func TestHeadersAndTrailersAreShownOnRequest(t *testing.T) {
	r := runWith(t.Context(), "", "call", reflecting(t), "grpc.testing.TestService/UnaryCall", "-v",
		"-H", "x-key: value", "-d", `{"payload":{"body":"eC1rZXk="}}`, "-o", "json")
	if r.exit != 0 || r.out != `{"payload":{"body":"dmFsdWU="}}`+"\n" || r.err != "> x-key: value\n< h: 1\n< h: 2\n< trailer t-bin: AP8=\n< status OK\n" {
		t.Errorf("exit code %d: %q %q", r.exit, r.out, r.err)
	}
}

func TestReflectionListsWhatAServerServes(t *testing.T) {
	url := reflecting(t)
	run(t, "list", url).want(t, "grpc.reflection.vN.ServerReflection\ngrpc.reflection.vNalpha.ServerReflection\ngrpc.testing.TestService\n")
	run(t, "list", url, "grpc.testing.TestService").want(t, strings.Join([]string{
		"grpc.testing.TestService/EmptyCall", "grpc.testing.TestService/UnaryCall", "grpc.testing.TestService/CacheableUnaryCall",
		"grpc.testing.TestService/StreamingOutputCall", "grpc.testing.TestService/StreamingInputCall", "grpc.testing.TestService/FullDuplexCall",
		"grpc.testing.TestService/HalfDuplexCall", "grpc.testing.TestService/UnimplementedCall", "",
	}, "\n"))
	run(t, "describe", url, "grpc.testing.TestService/EmptyCall").want(t, "rpc EmptyCall ( .grpc.testing.Empty ) returns ( .grpc.testing.Empty );\n")
	run(t, "describe", url, "grpc.testing.Payload", "--template").want(t, "{\n  \"type\": \"COMPRESSABLE\",\n  \"body\": \"\"\n}\n")
	in := "{\"payload\":{\"body\":\"YQ==\"}} {\"payload\":{\"body\":\"Yg==\"}}"
	if r := runWith(t.Context(), in, "call", url, "grpc.testing.TestService/FullDuplexCall", "-o", "json"); r.exit != 0 ||
		r.out != "{\"payload\":{\"body\":\"YQ==\"}}\n{\"payload\":{\"body\":\"Yg==\"}}\n" {
		t.Errorf("%q %s", r.out, r.err)
	}
}

func TestAServerThatKnowsNoGRPCReflectsToo(t *testing.T) {
	srv := rpc.NewServer()
	pingv1parley.RegisterPingServiceServer(srv, pinger.Service{})
	srv.Register(health.NewServer().Service())
	nativereflection.Register(srv)
	url := endpoint(t, srv)
	run(t, "list", url).want(t, "grpc.health.vN.Health\ngrpc.reflection.vN.ServerReflection\ngrpc.reflection.vNalpha.ServerReflection\nparley.ping.vN.PingService\n")
	run(t, "describe", url, "parley.ping.v1.PingResponse").want(t, "message PingResponse {\n  string text = N;\n}\n")
	run(t, "call", url, "parley.ping.v1.PingService/Ping", "-d", `{"text":"a"}`, "-o", "json").want(t, "{\"text\":\"a\"}\n")
	run(t, "call", url, "grpc.health.v1.Health/Check", "-o", "json").want(t, "{\"status\":\"SERVING\"}\n")
}

func TestAGatewayReflectsItsBackends(t *testing.T) {
	g := serve(t, "gateway", "--listen", "127.0.0.1:0", "--backend", listen(t, &tester{}))
	r := run(t, "list", g.url, "-o", "json")
	var got struct{ Services []string }
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || len(got.Services) != 3 || got.Services[2] != "grpc.testing.TestService" {
		t.Errorf("%v: %s%s", err, r.out, r.err)
	}
}

func TestDefinitionsMayBeHere(t *testing.T) {
	set := filepath.Join(t.TempDir(), "ping.pb")
	b, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{protodesc.ToFileDescriptorProto(pingv1.File_parley_ping_v1_ping_proto)}})
	if err == nil {
		err = os.WriteFile(set, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	url := pingEndpoint(t)
	for _, where := range [][]string{pingProto, {"--descriptor-set", set}} {
		run(t, append([]string{"list"}, where...)...).want(t, "parley.ping.vN.PingService\n")
		run(t, append([]string{"list", "parley.ping.v1.PingService", "-o", "json"}, where...)...).want(t, strings.ReplaceAll(
			`{"methods":[`+
				`{"name":"P.PingService/Ping","request":"P.PingRequest","response":"P.PingResponse","clientStreams":false,"serverStreams":false},`+
				`{"name":"P.PingService/CountUp","request":"P.CountUpRequest","response":"P.CountUpResponse","clientStreams":false,"serverStreams":true},`+
				`{"name":"P.PingService/Sum","request":"P.SumRequest","response":"P.SumResponse","clientStreams":true,"serverStreams":false},`+
				`{"name":"P.PingService/CumSum","request":"P.CumSumRequest","response":"P.CumSumResponse","clientStreams":true,"serverStreams":true}],`+
				`"service":"P.PingService"}`+"\n", "P.", "parley.ping.vN."))
		if r := run(t, append([]string{"call", url, "parley.ping.v1.PingService.Ping", "-d", `{"text":"a"}`, "-o", "json"}, where...)...); r.out != "{\"text\":\"a\"}\n" {
			t.Errorf("%q %s", r.out, r.err)
		}
		if r := run(t, append([]string{"describe", "parley.ping.v1.PingResponse", "-o", "json"}, where...)...); r.exit != 0 || !strings.Contains(r.out, "string text = 1;") {
			t.Errorf("%q %s", r.out, r.err)
		}
	}
}

func TestRequestsThatMakeNoSenseAreRefused(t *testing.T) {
	url, other := pingEndpoint(t), reflecting(t)
	broken := filepath.Join(t.TempDir(), "broken.proto")
	if err := os.WriteFile(broken, []byte("syntax = \"proto3\";\nmessage {\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ method, data, says string }{
		{"Ping", `{"text":`, "request 1 is not JSON: unexpected EOF"},
		{"Ping", `{"text":x}`, "request 1 is not JSON: invalid character 'x'"},
		{"Ping", `{"txt":"a"}`, "request 1 is not a parley.ping.v1.PingRequest: message type parley.ping.v1.PingRequest has no known field named txt"},
		{"Ping", `{}{}`, "more than 1 message"},
		{"CumSum", `{} {"number":"x"}`, "request 2 is not a parley.ping.v1.CumSumRequest"},
		{"Sum", `{} [`, "request 2 is not JSON"},
		{"Pong", `{}`, "the service parley.ping.v1.PingService has no method Pong, but Ping, CountUp, Sum, CumSum"},
	} {
		callPing(t, "", url, c.method, "-d", c.data).wantFailure(t, 2, c.says)
	}
	for says, args := range map[string][]string{
		"the server does not describe its services (no reflection): name the definitions with --proto": {"call", url, "parley.ping.v1.PingService/Ping"},
		"(no reflection)": {"list", url},
		"there is no other.Service: parley list " + other + " shows the services": {"call", other, "other.Service/Call"},
		"there is no other.Thing: parley list ":                                   {"describe", other, "other.Thing"},
		"grpc.testing.Payload is not a service: ":                                 {"list", other, "grpc.testing.Payload"},
		"--template: grpc.testing.TestService is not a message":                   {"describe", other, "grpc.testing.TestService", "--template"},
		`"Ping" names no method: write pkg.Service/Method`:                        {"call", other, "Ping"},
		"there is no a.B: the files define parley.ping.v1.PingService":            append([]string{"call", url, "a.B/C"}, pingProto...),
		"broken.proto:2:9: syntax error":                                          {"list", "--proto", broken},
		"none.proto":                                                              {"list", "--proto", "none.proto"},
		"--descriptor-set: ":                                                      {"list", "--descriptor-set", "none.pb"},
		"--proto and --descriptor-set do not go together":                         {"list", "--proto", "x", "--descriptor-set", "y"},
		"the URL is missing":                                                      {"list"},
		"1 arguments too many":                                                    {"list", other, "a", "b"},
		"the name is missing":                                                     {"describe", other},
		"-H \"nonsense\": write it as 'key: value'":                               {"call", other, "a.B/C", "-H", "nonsense"},
	} {
		run(t, args...).wantFailure(t, 2, says)
	}
}

func TestACallThatIsInterruptedSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	stdin, typed := io.Pipe()
	defer typed.Close()
	printed, stdout := io.Pipe()
	done := make(chan int, 1)
	var stderr bytes.Buffer
	url := pingEndpoint(t)
	go func() {
		done <- command.Run(ctx, append([]string{"call", url, "parley.ping.v1.PingService/CumSum", "-o", "json"}, pingProto...),
			command.Streams{In: stdin, Out: stdout, Err: &stderr})
	}()
	if _, err := io.WriteString(typed, "{}\n"); err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(printed).Decode(&struct{}{}); err != nil {
		t.Fatal(err)
	}
	cancel()
	if exit := <-done; exit != 4 || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("exit code %d: %s", exit, &stderr)
	}
}

func TestCompletionIsWritten(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if r := run(t, "completion", shell); r.exit != 0 || !strings.Contains(r.out, "parley") {
			t.Errorf("%s: exit code %d, %d bytes, %s", shell, r.exit, len(r.out), r.err)
		}
	}
}
