package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/anypb"

	"github.com/parley-rpc/parley/cmd/parley/internal/command"
	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	reflectionv1 "github.com/parley-rpc/parley/gen/parley/reflection/v1"
	"github.com/parley-rpc/parley/rpc"
	nativereflection "github.com/parley-rpc/parley/rpc/reflection"
)

// hostile is text that makes a terminal clear its screen, in three ways, set
// its title, and show text from right to left.
const hostile = "a\x1b[2J\u009b2J\x7f\x1b]0;owned\a\r\u202e\u2066z"

// hostileServer uses hostile text in its responses and the names of its
// services.
type hostileServer struct {
	pingv1parley.UnimplementedPingServiceServer
}

func (hostileServer) Ping(_ context.Context, req *pingv1.PingRequest) (*pingv1.PingResponse, error) {
	if req.Text == "answer" {
		return &pingv1.PingResponse{Text: hostile}, nil
	}
	return nil, rpc.Errorf(rpc.CodeNotFound, "%s", hostile).WithDetail(&anypb.Any{TypeUrl: "x/" + hostile})
}

// listing is a reflection service that returns any names.
func listing(_ context.Context, in rpc.Receiver[reflectionv1.ServerReflectionRequest], out rpc.Sender[reflectionv1.ServerReflectionResponse]) error {
	for req, err := range in.All() {
		if err != nil {
			return err
		}
		res := &reflectionv1.ServerReflectionResponse{OriginalRequest: req}
		res.MessageResponse = &reflectionv1.ServerReflectionResponse_ListServicesResponse{ListServicesResponse: &reflectionv1.ListServiceResponse{
			Service: []*reflectionv1.ServiceResponse{{Name: "one." + hostile + "\nforged.Service"}}}}
		if req.GetListServices() == "" && req.GetFileContainingSymbol() != "" {
			res.MessageResponse = &reflectionv1.ServerReflectionResponse_ErrorResponse{ErrorResponse: &reflectionv1.ErrorResponse{ErrorCode: 13, ErrorMessage: hostile}}
		}
		if err := out.Send(res); err != nil {
			return err
		}
	}
	return nil
}

func hostileEndpoint(t *testing.T) string {
	t.Helper()
	srv := rpc.NewServer()
	pingv1parley.RegisterPingServiceServer(srv, hostileServer{})
	m := &rpc.Method{Service: nativereflection.ServiceName, Name: "ServerReflectionInfo", ClientStreams: true, ServerStreams: true}
	srv.Register(&rpc.Service{Name: m.Service, Methods: []rpc.ServiceMethod{{Method: m, Handler: rpc.BidiHandler(listing)}}})
	return endpoint(t, srv)
}

// wantVisible fails the test if text has a control sequence.
func wantVisible(t *testing.T, name, text string) {
	t.Helper()
	if i := strings.IndexFunc(text, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r <= 0x9f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
	}); i >= 0 || !utf8.ValidString(text) {
		t.Errorf("%s: byte %d of %q is obeyed by a terminal", name, i, text)
	}
}

// TestTerminalDoesNotObeyTheServer has a server that puts control characters
// into everything that it sends.
func TestTerminalDoesNotObeyTheServer(t *testing.T) {
	url := hostileEndpoint(t)
	ping := func(text string, args ...string) []string {
		return append(append([]string{"call", url, "parley.ping.v1.PingService/Ping", "-d", `{"text":"` + text + `"}`}, pingProto...), args...)
	}
	for name, args := range map[string][]string{
		"an answer":                  ping("answer"),
		"an answer, in JSON":         ping("answer", "-o", "json"),
		"a status":                   ping("status"),
		"a status, in JSON":          ping("status", "-o", "json"),
		"names of services":          {"list", url},
		"names of services, in JSON": {"list", url, "-o", "json"},
		"an error of the reflection": {"describe", url, "acme.Thing"},
		"a path":                     {"ping", url + "/" + hostile},
	} {
		r := run(t, args...)
		wantVisible(t, name, r.out+r.err)
		if strings.Contains(name, "JSON") {
			for line := range strings.Lines(r.out + r.err) {
				if !json.Valid([]byte(line)) {
					t.Errorf("%s: %q is not JSON", name, line)
				}
			}
		}
	}
	r := run(t, ping("answer", "-o", "json")...)
	var got struct{ Text string }
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || got.Text != hostile {
		t.Errorf("%q, %v: the text is another one", got.Text, err)
	}
	if r := run(t, "list", url); strings.Count(r.out, "\n") != 1 {
		t.Errorf("a name is several lines: %q", r.out)
	}
	if r := run(t, ping("status", "-o", "json")...); !strings.Contains(r.err, `"code":"NOT_FOUND"`) || !strings.Contains(r.err, "@type") {
		t.Errorf("the status is lost: %q", r.err)
	}
}

// FuzzTerminalText makes the program print a user's input in its error, in
// place of a server's texts.
func FuzzTerminalText(f *testing.F) {
	for _, text := range []string{hostile, "\x9b2J", "plain", "Zoë", "\xff\xfe", "a\u2069", "日本", "\x00", "\ufffd"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, format := range []string{"text", "json"} {
			var out, err bytes.Buffer
			command.Run(t.Context(), []string{"list", "-o", format, "--connect-timeout", "0s", "--", text}, command.Streams{In: strings.NewReader(""), Out: &out, Err: &err})
			wantVisible(t, format, out.String()+err.String())
			if format == "json" && !json.Valid(err.Bytes()) && out.Len() == 0 {
				t.Errorf("%q is not JSON", &err)
			}
		}
	})
}
