package pipe_test

import (
	"io"
	"testing"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/transport/pipe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, e *pipe.End, msg string) {
	t.Helper()
	if err := e.WriteMessage([][]byte{[]byte(msg)}); err != nil {
		t.Fatalf("WriteMessage(%q): %v", msg, err)
	}
}

func read(t *testing.T, e *pipe.End) string {
	t.Helper()
	r, err := e.NextReader()
	if err != nil {
		t.Fatalf("NextReader: %v", err)
	}
	msg, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	return string(msg)
}

// result runs f on another goroutine and sends its error on the channel.
func result(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

func nextReader(e *pipe.End) error {
	_, err := e.NextReader()
	return err
}
