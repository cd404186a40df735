package command_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/cmd/parley/internal/command"
	"github.com/parley-rpc/parley/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// result is the result of a command.
type result struct {
	exit     int
	out, err string
}

// run runs the program with args and empty input.
func run(t *testing.T, args ...string) result {
	t.Helper()
	return runWith(t.Context(), "", args...)
}

// runWith runs the program with args and the input in.
func runWith(ctx context.Context, in string, args ...string) result {
	var out, err bytes.Buffer
	exit := command.Run(ctx, args, command.Streams{In: strings.NewReader(in), Out: &out, Err: &err})
	return result{exit, out.String(), err.String()}
}

// want fails the test unless the command has succeeded and printed out, with
// all numbers replaced by N.
func (r result) want(t *testing.T, out string) {
	t.Helper()
	if r.exit != 0 || withoutNumbers(r.out) != out || r.err != "" {
		t.Errorf("exit code %d: %s\nprinted %q\nwant    %q", r.exit, r.err, withoutNumbers(r.out), out)
	}
}

// wantFailure fails the test unless the command has failed with one line that
// contains says.
func (r result) wantFailure(t *testing.T, exit int, says string) {
	t.Helper()
	if r.exit != exit || !strings.HasPrefix(r.err, "parley: ") || strings.Count(r.err, "\n") != 1 || !strings.Contains(r.err, says) {
		t.Errorf("exit code %d, %q; want %d and one line that says %q", r.exit, r.err, exit, says)
	}
}

var (
	urls    = regexp.MustCompile(`(ws|http)s?://127\.0\.0\.1:\d+`)
	numbers = regexp.MustCompile(`\d+(\.\d+)?`)
)

func withoutNumbers(s string) string {
	return numbers.ReplaceAllString(urls.ReplaceAllString(s, "URL"), "N")
}

// web serves h and returns its WebSocket URL.
func web(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return "ws" + strings.TrimPrefix(srv.URL, "http")
}

// endpoint starts a server and returns its address.
func endpoint(t *testing.T, srv *rpc.Server) string {
	t.Helper()
	url := web(t, srv)
	t.Cleanup(func() { srv.Close() })
	return url
}
