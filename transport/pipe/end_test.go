package pipe_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

func TestMessagesArriveInOrderWithTheirBoundaries(t *testing.T) {
	d, a := pipe.New(pipe.Config{})
	if err := d.WriteMessage([][]byte{[]byte("on"), nil, []byte("e")}); err != nil {
		t.Fatal(err)
	}
	write(t, d, "")
	write(t, d, "two")
	write(t, a, "back")
	for _, want := range []string{"one", "", "two"} {
		if got := read(t, a); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	if got := read(t, d); got != "back" {
		t.Fatalf("got %q, want %q", got, "back")
	}
}

func TestMessageArrivesAfterExactlyTheLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const latency = 40 * time.Millisecond
		d, a := pipe.New(pipe.Config{Latency: latency})
		start := time.Now()
		write(t, d, "first")
		go func() {
			<-time.After(latency / 2)
			write(t, d, "second")
		}()
		for i, want := range []time.Duration{latency, latency + latency/2} {
			read(t, a)
			if got := time.Since(start); got != want {
				t.Errorf("message %d after %v, want %v", i, got, want)
			}
		}
	})
}

func TestLaterMessagesDoNotDelayAWaitingReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pipe.New(pipe.Config{Latency: time.Second})
		start := time.Now()
		write(t, d, "first")
		got := result(func() error { read(t, a); return nil })
		synctest.Wait()
		write(t, d, "second") // wakes the reader too early: it must wait again
		<-got
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v, want 1s", took)
		}
	})
}

func TestWriterBlocksAtCapacityUntilThePeerReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pipe.New(pipe.Config{Capacity: 10})
		write(t, d, "12345678")
		blocked := result(func() error { return d.WriteMessage([][]byte{[]byte("abc")}) })
		synctest.Wait()
		select {
		case err := <-blocked:
			t.Fatalf("eleven bytes went into ten: %v", err)
		default:
		}
		if got := read(t, a); got != "12345678" {
			t.Fatal(got)
		}
		if err := <-blocked; err != nil {
			t.Fatal(err)
		}
		if got := read(t, a); got != "abc" {
			t.Fatal(got)
		}
	})
}

func TestMessageLargerThanTheCapacityPassesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pipe.New(pipe.Config{Capacity: 4})
		large := strings.Repeat("x", 100)
		write(t, d, large)
		blocked := result(func() error { return d.WriteMessage([][]byte{[]byte("y")}) })
		synctest.Wait()
		if len(blocked) != 0 {
			t.Fatal("a second message passed beside it")
		}
		if got := read(t, a); got != large {
			t.Fatalf("got %d bytes", len(got))
		}
		if err := <-blocked; err != nil {
			t.Fatal(err)
		}
	})
}

func TestEmptyMessagesAreNotFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pipe.New(pipe.Config{Capacity: 3})
		for range 3 {
			write(t, d, "")
		}
		blocked := result(func() error { return d.WriteMessage(nil) })
		synctest.Wait()
		if len(blocked) != 0 {
			t.Fatal("four empty messages went into a capacity of three")
		}
		read(t, a)
		if err := <-blocked; err != nil {
			t.Fatal(err)
		}
	})
}

func TestWriterKeepsItsSlices(t *testing.T) {
	d, a := pipe.New(pipe.Config{})
	msg := []byte("precious")
	if err := d.WriteMessage([][]byte{msg}); err != nil {
		t.Fatal(err)
	}
	copy(msg, "scribble")
	if got := read(t, a); got != "precious" {
		t.Fatalf("got %q", got)
	}
}

func TestReaderIsDeadAfterTheNextNextReader(t *testing.T) {
	d, a := pipe.New(pipe.Config{})
	write(t, d, "one")
	write(t, d, "two")
	first, err := a.NextReader()
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, a); got != "two" {
		t.Fatalf("got %q", got)
	}
	if n, err := first.Read(make([]byte, 8)); n != 0 || err == nil {
		t.Fatalf("the first reader still gave %d bytes and %v", n, err)
	}
}

func TestMessageOverTheReadLimitIsRefused(t *testing.T) {
	d, a := pipe.New(pipe.Config{ReadLimit: 4})
	write(t, d, "1234")
	write(t, d, "12345")
	read(t, a)
	for range 2 {
		wantClose(t, nextReader(a), foundHere(transport.CloseMessageTooBig))
	}
	if err := a.Close(transport.CloseMessageTooBig, "too big"); err != nil {
		t.Fatal(err)
	}
	wantClose(t, nextReader(d), byPeer(transport.CloseMessageTooBig))
}

func TestTwoReadersAtOncePanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a := pipe.New(pipe.Config{})
		waiting := result(func() error { return nextReader(a) })
		synctest.Wait()
		mustPanic(t, func() { _, _ = a.NextReader() })
		if err := a.Close(transport.CloseNormal, ""); err != nil {
			t.Fatal(err)
		}
		<-waiting
	})
}

func TestTwoWritersAtOncePanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := pipe.New(pipe.Config{Capacity: 1})
		write(t, d, "x")
		blocked := result(func() error { return d.WriteMessage([][]byte{[]byte("y")}) })
		synctest.Wait()
		mustPanic(t, func() { _ = d.WriteMessage(nil) })
		if err := d.Close(transport.CloseNormal, ""); err != nil {
			t.Fatal(err)
		}
		if err := <-blocked; !errors.Is(err, net.ErrClosed) {
			t.Fatalf("blocked write: %v", err)
		}
	})
}

func TestNegativeConfigPanics(t *testing.T) {
	for _, cfg := range []pipe.Config{{Latency: -1}, {Capacity: -1}, {ReadLimit: -1}} {
		mustPanic(t, func() { pipe.New(cfg) })
	}
}

func mustPanic(t *testing.T, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("did not panic")
		}
	}()
	f()
}
