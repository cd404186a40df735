package parleyconnect_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
)

// dialGRPC returns a connection of grpc-go to a server at the root.
func dialGRPC(t *testing.T, h rpc.Handler, opts ...rpc.ServerOption) *grpc.ClientConn {
	t.Helper()
	srv := rpc.NewServer(opts...)
	for _, m := range kinds {
		srv.Register(&rpc.Service{Name: m.Service, Methods: []rpc.ServiceMethod{{Method: m, Handler: h}}})
	}
	url := serveWith(t, srv, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // stubs of grpc-go have no path before the service
			r.URL.Path = "/rpc" + r.URL.Path
			next.ServeHTTP(w, r)
		})
	})
	host := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/rpc")
	conn, err := grpc.NewClient(host, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// talk makes a call of any kind with grpc-go.
func talk(ctx context.Context, conn *grpc.ClientConn, m *rpc.Method, texts []string, opts ...grpc.CallOption) (got []string, err error) {
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: m.ClientStreams, ServerStreams: m.ServerStreams}, "/"+m.Path(), opts...)
	if err != nil {
		return nil, err
	}
	for _, sent := range texts {
		if err := s.SendMsg(text(sent)); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	if err := s.CloseSend(); err != nil {
		return nil, err
	}
	for {
		msg := new(wrapperspb.StringValue)
		if err := s.RecvMsg(msg); errors.Is(err, io.EOF) {
			return got, nil
		} else if err != nil {
			return got, err
		}
		if got = append(got, msg.Value); !m.ServerStreams {
			return got, nil
		}
	}
}

func TestStubsOfGRPCCallAllKinds(t *testing.T) {
	conn := dialGRPC(t, func(ctx context.Context, s rpc.Stream) error {
		call := rpc.FromContext(ctx)
		if err := errors.Join(call.SetHeader("h-bin", "\x00\xff"), call.SetTrailer("t", call.HeaderValue("x"))); err != nil {
			return err
		}
		return echo(ctx, s)
	})
	for _, m := range kinds {
		for _, opts := range [][]grpc.CallOption{nil, {grpc.UseCompressor("gzip")}} {
			texts, want := []string{strings.Repeat("a", 10_000)}, []string{strings.Repeat("a", 10_000)}
			if m.ClientStreams && m.ServerStreams {
				texts, want = []string{"a", "b"}, []string{"a", "b"}
			} else if m.ClientStreams {
				texts, want = []string{"a", "b"}, []string{"a b"}
			}
			var header, trailer metadata.MD
			ctx := metadata.AppendToOutgoingContext(t.Context(), "x", "1")
			got, err := talk(ctx, conn, m, texts, append(opts, grpc.Header(&header), grpc.Trailer(&trailer))...)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %d messages, %v", m.Path(), len(got), err)
			}
			if header.Get("h-bin")[0] != "\x00\xff" || trailer.Get("t")[0] != "1" {
				t.Errorf("%s: header %v, trailer %v", m.Path(), header, trailer)
			}
		}
	}
}

func TestStubsOfGRPCGetStatuses(t *testing.T) {
	conn := dialGRPC(t, func(ctx context.Context, s rpc.Stream) error {
		if s.Call().HeaderValue("wait") != "" {
			<-ctx.Done()
			return ctx.Err()
		}
		return rpc.Errorf(rpc.CodeNotFound, "grüße").WithDetail(text("a detail"))
	})
	for _, m := range kinds {
		_, err := talk(t.Context(), conn, m, []string{"x"})
		s := status.Convert(err)
		if s.Code() != codes.NotFound || s.Message() != "grüße" || len(s.Details()) != 1 {
			t.Errorf("%s: %v", m.Path(), err)
		}
		ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "wait", "1"), 20*time.Millisecond)
		if _, err := talk(ctx, conn, m, []string{"x"}); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("%s: %v", m.Path(), err)
		}
		cancel()
	}
	_, err := talk(t.Context(), conn, &rpc.Method{Service: "none.Service", Name: "Call"}, []string{"x"})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("got %v", err)
	}
}
