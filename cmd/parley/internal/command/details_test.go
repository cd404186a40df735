package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
	nativereflection "github.com/parley-rpc/parley/rpc/reflection"
)

// detailed fails with details that are not defined in a file of its service.
type detailed struct {
	pingv1parley.UnimplementedPingServiceServer
}

func (detailed) Ping(context.Context, *pingv1.PingRequest) (*pingv1.PingResponse, error) {
	err := rpc.Errorf(rpc.CodeInvalidArgument, "no")
	for _, d := range []proto.Message{
		&errdetails.ErrorInfo{Reason: "BROKE", Domain: "example.com", Metadata: map[string]string{"a": "b"}},
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "text", Description: "too short"}}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(1500_000_000)},
		durationpb.New(2_000_000_000),
		&anypb.Any{TypeUrl: "type.googleapis.com/nobody.Knows", Value: []byte{10, 2, 'h', 'i'}},
	} {
		err = err.WithDetail(d)
	}
	return nil, err
}

// standardDetails is the expected output of the details.
var standardDetails = []string{
	`{"@type":"type.googleapis.com/google.rpc.ErrorInfo","domain":"example.com","metadata":{"a":"b"},"reason":"BROKE"}`,
	`{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"description":"too short","field":"text"}]}`,
	`{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.500s"}`,
	`{"@type":"type.googleapis.com/google.protobuf.Duration","value":"2s"}`,
	`{"@type":"type.googleapis.com/nobody.Knows","@error":"nobody.Knows is not recognized; see @value for raw binary message data","@value":"CgJoaQ=="}`,
}

func TestStandardDetailsAreShownForAnyService(t *testing.T) {
	srv := rpc.NewServer()
	pingv1parley.RegisterPingServiceServer(srv, detailed{})
	nativereflection.Register(srv)
	url := endpoint(t, srv)
	for name, args := range map[string][]string{"files": pingProto, "reflection": nil} {
		r := run(t, append([]string{"call", url, "parley.ping.v1.PingService/Ping"}, args...)...)
		lines := strings.Split(strings.TrimSpace(r.err), "\n  detail: ")
		if r.exit != 1 || lines[0] != "parley: INVALID_ARGUMENT: no" || len(lines) != 1+len(standardDetails) {
			t.Fatalf("%s: exit code %d, %s", name, r.exit, r.err)
		}
		for i, want := range standardDetails {
			if !sameJSON(t, lines[i+1], want) {
				t.Errorf("%s: %s, want %s", name, lines[i+1], want)
			}
		}
		r = run(t, append([]string{"call", url, "parley.ping.v1.PingService/Ping", "-o", "json"}, args...)...)
		var got struct {
			Error struct{ Details []json.RawMessage }
		}
		if err := json.Unmarshal([]byte(r.err), &got); err != nil || len(got.Error.Details) != len(standardDetails) || !sameJSON(t, string(got.Error.Details[0]), standardDetails[0]) {
			t.Errorf("%s: %v, %s", name, err, r.err)
		}
	}
}

// sameJSON compares two JSON values. Members may be in any order.
func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal([]byte(a), &x), json.Unmarshal([]byte(b), &y)); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}

// TestAnAnyOfAStandardTypeIsReadAndShown tests requests, responses and
// definitions.
func TestAnAnyOfAStandardTypeIsReadAndShown(t *testing.T) {
	folder := t.TempDir()
	const file = `syntax = "proto3"; package t.v1; import "google/protobuf/any.proto";
message M { google.protobuf.Any any = 1; } service T { rpc Echo(M) returns (M); }`
	if err := os.WriteFile(filepath.Join(folder, "t.proto"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	srv := rpc.NewServer()
	srv.HandleUnknown(func(_ context.Context, s rpc.Stream) error {
		var raw rpc.Raw
		if err := s.Recv(&raw); err != nil {
			return err
		}
		return s.Send(&raw)
	})
	url := endpoint(t, srv)
	define := []string{"-I", folder, "--proto", "t.proto"}
	for _, m := range []string{
		`{"any":{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"BROKE"}}`,
		`{"any":{"@type":"type.googleapis.com/google.protobuf.Timestamp","value":"2026-01-02T03:04:05Z"}}`,
		`{"any":{"@type":"type.googleapis.com/t.v1.M","any":{"@type":"type.googleapis.com/google.protobuf.StringValue","value":"deep"}}}`,
	} {
		r := run(t, append([]string{"call", url, "t.v1.T/Echo", "-d", m, "-o", "json"}, define...)...)
		if r.exit != 0 || r.out != m+"\n" {
			t.Errorf("%s became %s%s", m, r.out, r.err)
		}
	}
	r := run(t, append([]string{"describe", "google.rpc.ErrorInfo"}, define...)...)
	if r.exit != 0 || !strings.Contains(r.out, "string reason = 1;") {
		t.Errorf("%s%s", r.out, r.err)
	}
	run(t, append([]string{"describe", "t.v1.Nothing"}, define...)...).wantFailure(t, 2, "there is no t.v1.Nothing")
}
