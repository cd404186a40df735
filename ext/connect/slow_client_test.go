package parleyconnect_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
)

// flood sends messages until that fails, and reports the error.
func flood(failed chan<- error) rpc.Handler {
	return func(_ context.Context, s rpc.Stream) error {
		if err := s.Recv(new(wrapperspb.StringValue)); err != nil {
			return err
		}
		msg := text(strings.Repeat("x", 64<<10))
		for {
			if err := s.Send(msg); err != nil {
				failed <- err
				return err
			}
		}
	}
}

// unreadStream is a request of a server stream with one empty message.
type unreadStream struct {
	name    string
	http1   bool
	kind    string // the Content-Type
	timeout [2]string
}

var unreadStreams = []unreadStream{
	{"connect over http/1.1", true, "application/connect+proto", [2]string{"Connect-Timeout-Ms", "300"}},
	{"grpc-web over http/1.1", true, "application/grpc-web+proto", [2]string{"Grpc-Timeout", "300m"}},
	{"connect", false, "application/connect+proto", [2]string{"Connect-Timeout-Ms", "300"}},
	{"grpc-web", false, "application/grpc-web+proto", [2]string{"Grpc-Timeout", "300m"}},
	{"grpc", false, "application/grpc+proto", [2]string{"Grpc-Timeout", "300m"}},
}

// begin makes the request, with further headers as names and values, and
// returns its response, of which nothing is read.
func (u *unreadStream) begin(t *testing.T, url string, client *http.Client, header ...string) *http.Response {
	t.Helper()
	body := strings.NewReader("\x00\x00\x00\x00\x00")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/"+download.Path(), body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", u.kind)
	r.Header.Set("Te", "trailers")
	for pair := range slices.Chunk(header, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func (u *unreadStream) client(t *testing.T) *http.Client {
	if u.http1 {
		return http1Client(t)
	}
	return http2Client(t)
}

func wantFailure(t *testing.T, failed <-chan error, want rpc.Code) {
	t.Helper()
	select {
	case err := <-failed:
		if got := rpc.CodeOf(err); got != want {
			t.Errorf("Send failed with %v, want %v", err, want)
		}
	case <-time.After(20 * time.Second):
		t.Error("Send still waits for a client that does not read")
	}
}

func TestADeadlineEndsASendThatWaitsForItsClient(t *testing.T) {
	for _, u := range unreadStreams {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			failed := make(chan error, 1)
			url, _ := serve(t, flood(failed))
			_ = u.begin(t, url, u.client(t), u.timeout[:]...)
			wantFailure(t, failed, rpc.CodeDeadlineExceeded)
		})
	}
}

func TestTheExpiryOfCredentialsEndsASendThatWaitsForItsClient(t *testing.T) {
	for _, u := range unreadStreams {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			failed := make(chan error, 1)
			url, _ := serve(t, flood(failed), rpc.WithAuthentication(func(r *http.Request) (context.Context, error) {
				return rpc.WithExpiry(r.Context(), time.Now().Add(300*time.Millisecond)), nil
			}))
			_ = u.begin(t, url, u.client(t))
			wantFailure(t, failed, rpc.CodeUnauthenticated)
		})
	}
}

// TestAConnectionServesOnAfterADeadline has a client that reads: it gets the
// status, and the bound of one response does not reach the next.
func TestAConnectionServesOnAfterADeadline(t *testing.T) {
	url, _ := serve(t, func(ctx context.Context, s rpc.Stream) error {
		if err := s.Recv(new(wrapperspb.StringValue)); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	})
	for _, u := range unreadStreams {
		t.Run(u.name, func(t *testing.T) {
			client := u.client(t)
			for range 2 {
				response := u.begin(t, url, client, u.timeout[:]...)
				body, err := io.ReadAll(response.Body)
				if err != nil {
					t.Fatal(err)
				}
				status := response.Trailer.Get("Grpc-Status") + response.Header.Get("Grpc-Status")
				if !strings.Contains(string(body), "deadline_exceeded") && !strings.Contains(string(body), "grpc-status: 4") && status != "4" {
					t.Errorf("the client got %q, status %q", body, status)
				}
			}
		})
	}
}
