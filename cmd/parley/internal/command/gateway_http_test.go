package command_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// callByJSON makes a unary call of Connect, and returns the answer.
func callByJSON(t *testing.T, url, body string, header http.Header) (status int, answer map[string]any, responseHeader http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if json.Unmarshal(text, &answer) != nil {
		answer = nil
	}
	return res.StatusCode, answer, res.Header
}

// requestFor is a request in JSON of a tester: for the metadata of a key.
func requestFor(key string) string {
	return `{"payload": {"body": "` + base64.StdEncoding.EncodeToString([]byte(key)) + `"}}`
}

// bodyOf returns the text in the answer of a tester.
func bodyOf(t *testing.T, answer map[string]any) string {
	t.Helper()
	payload, _ := answer["payload"].(map[string]any)
	text, _ := payload["body"].(string)
	body, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestAGatewayTakesCallsByHTTP(t *testing.T) {
	g := serve(t, "gateway", "--listen", "127.0.0.1:0", "--backend", listen(t, &tester{}), "--forward", "x-user", "--origin", "https://page.test")
	under := "http" + strings.TrimPrefix(g.url, "ws")
	const method = "/grpc.testing.TestService/UnaryCall"
	for _, url := range []string{under + method, strings.TrimSuffix(under, "/rpc") + method} {
		code, answer, header := callByJSON(t, url, requestFor("x-user"), http.Header{"X-User": {"ada"}})
		if code != http.StatusOK || bodyOf(t, answer) != "ada" {
			t.Errorf("%s: %d, %v", url, code, answer)
		}
		if got := strings.Join(header.Values("H"), ","); got != "1,2" || header.Get("Trailer-T-Bin") != "AP8" {
			t.Errorf("header %v", header)
		}
	}
	for body, want := range map[string]int{"{bad": http.StatusBadRequest, `{"payload": {"body": 7}}`: http.StatusBadRequest, "{}": http.StatusOK} {
		if code, answer, _ := callByJSON(t, under+method, body, nil); code != want {
			t.Errorf("%s: %d, %v", body, code, answer)
		}
	}
	for url, want := range map[string]int{
		under + "/grpc.testing.TestService/None": http.StatusNotImplemented, under + "/other.Service/Call": http.StatusNotImplemented,
		under + "/one": http.StatusNotFound, strings.TrimSuffix(under, "/rpc") + "/a/b/c": http.StatusNotFound,
	} {
		if code, answer, _ := callByJSON(t, url, "{}", nil); code != want {
			t.Errorf("%s: %d, %v", url, code, answer)
		}
	}
	for origin, want := range map[string]int{"https://page.test": http.StatusOK, "https://evil.test": http.StatusForbidden} {
		if code, answer, _ := callByJSON(t, under+method, "{}", http.Header{"Origin": {origin}}); code != want {
			t.Errorf("%s: %d, %v", origin, code, answer)
		}
	}
}

func TestAGatewayWithoutHTTPTakesWebSocketsOnly(t *testing.T) {
	g := serve(t, "gateway", "--listen", "127.0.0.1:0", "--backend", listen(t, &tester{}), "--websockets-only")
	url := "http" + strings.TrimPrefix(g.url, "ws") + "/grpc.testing.TestService/UnaryCall"
	if code, _, _ := callByJSON(t, url, "{}", nil); code != http.StatusNotFound {
		t.Errorf("got %d", code)
	}
	if _, err := said(t, dial(t, g.url), "x"); err != nil {
		t.Error(err)
	}
}

// jsonBackend is the codec of a backend that knows JSON.
type jsonBackend struct{}

func (jsonBackend) Name() string { return "json" }

func (jsonBackend) Marshal(msg any) ([]byte, error) {
	return protojson.Marshal(msg.(proto.Message))
}

func (jsonBackend) Unmarshal(data []byte, msg any) error {
	return protojson.Unmarshal(data, msg.(proto.Message))
}

func TestJSONPassesAsItIsToABackendWithoutReflection(t *testing.T) {
	backend := listenOn(t, grpc.NewServer(grpc.ForceServerCodec(jsonBackend{})), &tester{})
	g := serve(t, "gateway", "--listen", "127.0.0.1:0", "--backend", backend)
	url := "http" + strings.TrimPrefix(g.url, "ws") + "/grpc.testing.TestService/UnaryCall"
	for range 2 {
		code, answer, _ := callByJSON(t, url, requestFor("x-user"), http.Header{"X-User": {"ada"}})
		if code != http.StatusOK || bodyOf(t, answer) != "ada" {
			t.Errorf("%d, %v", code, answer)
		}
	}
}

// TestStubsOfGRPCReachBackendsByHTTP2 makes calls with grpc-go, without TLS.
func TestStubsOfGRPCReachBackendsByHTTP2(t *testing.T) {
	g := serve(t, "gateway", "--listen", "127.0.0.1:0", "--backend", listen(t, &tester{}))
	host, _, _ := strings.Cut(strings.TrimPrefix(g.url, "ws://"), "/")
	conn, err := grpc.NewClient(host, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := testgrpc.NewTestServiceClient(conn)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-id", "7", "x-real-ip", "forged")
	for key, want := range map[string]string{"x-id": "7", "x-real-ip": "", "x-forwarded-for": "127.0.0.1"} {
		var header, trailer metadata.MD
		res, err := client.UnaryCall(ctx, &testgrpc.SimpleRequest{Payload: &testgrpc.Payload{Body: []byte(key)}}, grpc.Header(&header), grpc.Trailer(&trailer))
		if err != nil || string(res.GetPayload().GetBody()) != want {
			t.Errorf("%s: %q, %v", key, res.GetPayload().GetBody(), err)
		}
		if len(header.Get("h")) != 2 || len(trailer.Get("t-bin")) != 1 {
			t.Errorf("header %v, trailer %v", header, trailer)
		}
	}
	stream, err := client.FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"a", "b"} {
		if err := stream.Send(&testgrpc.StreamingOutputCallRequest{Payload: &testgrpc.Payload{Body: []byte(text)}}); err != nil {
			t.Fatal(err)
		}
		if res, err := stream.Recv(); err != nil || string(res.GetPayload().GetBody()) != text {
			t.Fatalf("got %v, %v", res, err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != io.EOF { //nolint:errorlint // the documented end
		t.Errorf("got %v", err)
	}
	if _, err := client.EmptyCall(t.Context(), &testgrpc.Empty{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("got %v", err)
	}
}
