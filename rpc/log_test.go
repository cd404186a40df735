package rpc_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
)

// debug returns an option that logs everything.
func (j *journal) debug() rpc.Option {
	return rpc.WithLogger(slog.New(slog.NewJSONHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug})))
}

// told returns the levels and messages of the log.
func (j *journal) told(t *testing.T) (told []string) {
	t.Helper()
	for _, line := range j.lines(t) {
		told = append(told, fmt.Sprint(line["level"], " ", line["msg"]))
	}
	return told
}

func TestAServerLogsHowAConnectionComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log, clients journal
		n := newNetwork(t)
		srv := rpc.NewServer(log.debug())
		register(srv, unary, echo)
		n.serve(home, srv)
		c := n.client(home, clients.debug())
		for range 2 {
			if _, err := converse(t.Context(), c, unary, []string{""}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			n.cut()
		}
		synctest.Wait()
		_ = c.Close()
		synctest.Wait()
		want := []string{"DEBUG parley: connection started"}
		for range 2 {
			want = append(want, "DEBUG parley: connection detached", "DEBUG parley: connection resumed")
		}
		want = append(want, "DEBUG parley: connection ended")
		if told := log.told(t); !slices.Equal(told, want) {
			t.Errorf("logged %q", told)
		}
		for _, line := range log.lines(t) {
			if line["conn"] != 1.0 {
				t.Errorf("conn is missing or changes: %v", line)
			}
			if msg := line["msg"].(string); line["reason"] == nil && (strings.HasSuffix(msg, "lost") || strings.HasSuffix(msg, "ended")) {
				t.Errorf("no reason: %v", line)
			}
		}
		if told := clients.told(t); told != nil {
			t.Errorf("the client, which is told otherwise, logs %q", told)
		}
	})
}

func TestAPeerThatIsCutOffIsLoggedForTheOperator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		p := serveRaw(t, rpc.NewServer(rpc.WithLogger(log.logger()))) // at level Info
		p.write(frame.Append(nil, frame.Header{Type: frame.TypePing}, []byte("short")))
		synctest.Wait()
		lines := log.lines(t)
		if len(lines) != 1 || lines[0]["msg"] != "parley: connection cut off" || lines[0]["level"] != "INFO" ||
			!strings.Contains(fmt.Sprint(lines[0]["reason"]), "PING") {
			t.Errorf("logged %v", lines)
		}
	})
}

func TestTheLogNamesPeerAndPrincipal(t *testing.T) {
	var log journal
	begun := make(chan struct{})
	url, srv := serve(t, log.debug(), rpc.WithAuthentication(byToken), rpc.OnConnect(func(*rpc.Conn) { begun <- struct{}{} }))
	register(srv, unary, panicking)
	for _, token := range []string{"alice", "banned", "anonymous"} {
		conn, err := rpc.Dial(t.Context(), url, authorization(token+"-token"))
		if token == "banned" {
			wantError(t, err, rpc.CodePermissionDenied)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		<-begun
		_, err = converse(t.Context(), conn, unary, []string{""})
		wantError(t, err, rpc.CodeInternal)
	}
	principals := make(map[string][]any)
	for _, line := range log.lines(t) {
		msg := line["msg"].(string)
		principals[msg] = append(principals[msg], line["principal"])
		if peer, _ := line["peer"].(string); !strings.HasPrefix(peer, "127.0.0.1:") {
			t.Errorf("no peer: %v", line)
		}
	}
	for msg, want := range map[string][]any{
		"parley: connection started": {"alice", nil},
		"parley: handler panicked":   {"alice", nil},
		"parley: connection refused": {nil},
	} {
		if !slices.Equal(principals[msg], want) {
			t.Errorf("%q for %v, want %v", msg, principals[msg], want)
		}
	}
}

type tenantKey struct{}

// A slog.Handler may add values of the context.
func TestTheLogHasTheContextOfTheAuthentication(t *testing.T) {
	tenants := make(chan any, 10)
	logger := slog.New(contextual{slog.DiscardHandler, func(ctx context.Context) { tenants <- ctx.Value(tenantKey{}) }})
	url, _ := serve(t, rpc.WithLogger(logger), rpc.WithAuthentication(func(r *http.Request) (context.Context, error) {
		return context.WithValue(r.Context(), tenantKey{}, "acme"), nil
	}))
	dial(t, url)
	if got := <-tenants; got != "acme" {
		t.Errorf("the context says %v", got)
	}
}

// contextual is a handler that reads the context of each record.
type contextual struct {
	slog.Handler
	look func(context.Context)
}

func (c contextual) Enabled(context.Context, slog.Level) bool { return true }

func (c contextual) Handle(ctx context.Context, _ slog.Record) error {
	c.look(ctx)
	return nil
}
