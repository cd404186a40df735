package pipe_test

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

func wantLost(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, pipe.ErrLost) {
		t.Fatalf("got %v, want ErrLost", err)
	}
}

func TestCutIsSeenByBothEndsAtOnceAndLosesWhatIsOnTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pipe.New(pipe.Config{Latency: time.Second, Capacity: 4})
		start := time.Now()
		write(t, d, "lost")
		reader := result(func() error { return nextReader(a) })
		writer := result(func() error { return d.WriteMessage([][]byte{[]byte("too")}) })
		synctest.Wait()
		d.Cut()
		wantLost(t, <-reader)
		wantLost(t, <-writer)
		wantLost(t, nextReader(d))
		wantLost(t, a.WriteMessage(nil))
		if took := time.Since(start); took != 0 {
			t.Errorf("took %v", took)
		}
		if err := a.Close(transport.CloseNormal, ""); err != nil {
			t.Fatal(err)
		}
		wantLost(t, nextReader(d)) // a close that cannot be delivered
	})
}

func TestCutAfterBytesStopsAtThatByte(t *testing.T) {
	messages := []string{"abc", "", "defgh"}
	for n := range int64(9) {
		d, a := pipe.New(pipe.Config{})
		d.CutAfterBytes(n)
		var failed error
		for _, msg := range messages {
			if failed = d.WriteMessage([][]byte{[]byte(msg)}); failed != nil {
				break
			}
		}
		if n < 8 {
			wantLost(t, failed)
		}
		if n > 0 && n <= 8 {
			wantLost(t, nextReader(d))
		}
		if n > 8 {
			a.Cut()
		}
		var got []byte
		for {
			r, err := a.NextReader()
			if err != nil {
				wantLost(t, err)
				break
			}
			part, err := io.ReadAll(r)
			got = append(got, part...)
			if err != nil {
				wantLost(t, err)
			}
		}
		if want := "abcdefgh"[:n]; string(got) != want {
			t.Errorf("cut after %d: peer read %q, want %q", n, got, want)
		}
		if _, sent := d.Sent(); sent != n {
			t.Errorf("cut after %d: sent %d", n, sent)
		}
	}
}

func TestCutInsideAMessageGivesTheReaderItsBeginning(t *testing.T) {
	d, a := pipe.New(pipe.Config{})
	d.CutAfterBytes(3)
	wantLost(t, d.WriteMessage([][]byte{[]byte("ab"), []byte("cd")}))
	r, err := a.NextReader()
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	wantLost(t, err)
	if string(got) != "abc" {
		t.Fatalf("got %q", got)
	}
	wantLost(t, nextReader(a))
	if messages, bytes := d.Sent(); messages != 0 || bytes != 3 {
		t.Errorf("sent %d messages, %d bytes", messages, bytes)
	}
}

func TestCutAtTheEndOfAMessageLetsItThrough(t *testing.T) {
	d, a := pipe.New(pipe.Config{})
	d.CutAfterBytes(4)
	write(t, d, "abcd")
	wantLost(t, d.WriteMessage(nil))
	if got := read(t, a); got != "abcd" {
		t.Fatalf("got %q", got)
	}
	wantLost(t, nextReader(a))
}

func TestCutAfterMessagesCountsWholeMessages(t *testing.T) {
	d, a := pipe.New(pipe.Config{})
	write(t, d, "before")
	d.CutAfterMessages(2)
	write(t, d, "one")
	write(t, d, "")
	wantLost(t, d.WriteMessage([][]byte{[]byte("three")}))
	for _, want := range []string{"before", "one", ""} {
		if got := read(t, a); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	wantLost(t, nextReader(a))
	if messages, _ := d.Sent(); messages != 3 {
		t.Errorf("sent %d messages", messages)
	}
}

func TestCutAfterNothingIsNow(t *testing.T) {
	for name, cut := range map[string]func(*pipe.End){
		"bytes":    func(e *pipe.End) { e.CutAfterBytes(0) },
		"messages": func(e *pipe.End) { e.CutAfterMessages(0) },
	} {
		t.Run(name, func(t *testing.T) {
			d, a := pipe.New(pipe.Config{})
			write(t, d, "on the way")
			cut(d)
			wantLost(t, nextReader(d))
			if got := read(t, a); got != "on the way" {
				t.Fatalf("got %q", got)
			}
			wantLost(t, nextReader(a))
		})
	}
}

func TestAnEndThatLostTheLinkLetsThePeerWriteUntilItKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pipe.New(pipe.Config{Latency: time.Second, Capacity: 1})
		d.CutAfterMessages(1)
		write(t, d, "x")
		for range 10 {
			write(t, a, "into the void, without blocking")
		}
		read(t, a)
		wantLost(t, nextReader(a))
		wantLost(t, a.WriteMessage(nil))
	})
}

func TestDropSwallowsEverythingInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pipe.New(pipe.Config{Capacity: 1})
		write(t, d, "before")
		blocked := result(func() error { return d.WriteMessage([][]byte{[]byte("swallowed")}) })
		synctest.Wait()
		d.Drop()
		if err := <-blocked; err != nil {
			t.Fatal(err)
		}
		if err := d.Close(transport.CloseNormal, "not delivered"); err != nil {
			t.Fatal(err)
		}
		if got := read(t, a); got != "before" {
			t.Fatalf("got %q", got)
		}
		waiting := result(func() error { return nextReader(a) })
		<-time.After(time.Hour)
		synctest.Wait()
		if len(waiting) != 0 {
			t.Fatalf("the peer was told: %v", <-waiting)
		}
		a.Cut()
		wantLost(t, <-waiting)
	})
}

func TestDropLeavesTheOtherDirectionAlone(t *testing.T) {
	d, a := pipe.New(pipe.Config{})
	d.Drop()
	write(t, a, "still here")
	if got := read(t, d); got != "still here" {
		t.Fatalf("got %q", got)
	}
}

func TestStalledEndReadsNothingUntilItResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pipe.New(pipe.Config{Capacity: 8})
		a.Stall()
		write(t, d, "12345678")
		blocked := result(func() error { return d.WriteMessage([][]byte{[]byte("9")}) })
		reader := result(func() error { read(t, a); read(t, a); return nil })
		<-time.After(time.Hour)
		synctest.Wait()
		if len(blocked) != 0 || len(reader) != 0 {
			t.Fatal("something moved")
		}
		a.Resume()
		if err := <-blocked; err != nil {
			t.Fatal(err)
		}
		<-reader
	})
}

func TestStalledEndStillLosesTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pipe.New(pipe.Config{})
		a.Stall()
		waiting := result(func() error { return nextReader(a) })
		synctest.Wait()
		d.Cut()
		wantLost(t, <-waiting)
	})
}

func TestFailMakesTheReaderFindFaultBehindTheMessages(t *testing.T) {
	d, a := pipe.New(pipe.Config{})
	write(t, d, "fine")
	a.Fail(&transport.CloseError{Code: transport.CloseUnsupportedData})
	read(t, a)
	wantClose(t, nextReader(a), foundHere(transport.CloseUnsupportedData))
	if err := a.Close(transport.CloseUnsupportedData, "text"); err != nil {
		t.Fatal(err)
	}
	wantClose(t, nextReader(d), byPeer(transport.CloseUnsupportedData))
}
