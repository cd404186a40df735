package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(serveVariable); addr != "" {
		if err := serve(addr, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func TestNoMessageIsLostWhenLinksBreak(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{"-cuts", "40", "-kills", "0", "-clients", "8", "-most", "65536"}, &out)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\nlost 0 duplicated 0 reordered 0\n"); n != 3 {
		t.Errorf("%d of 3 networks say that nothing was lost", n)
	}
}

func TestCallsEndAndTheClientReconnectsWhenTheServerIsKilled(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{"-cuts", "0", "-kills", "2"}, &out)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
}

// Cuts of links with little on the way show nothing about retransmission.
func TestManyCutsThatLoseLittleAreAnError(t *testing.T) {
	for name, c := range map[string]struct {
		network network
		lost    []int64
		bad     bool
	}{
		"near":       {network{cuts: manyCuts}, []int64{0}, false},
		"few":        {network{cuts: 1, large: 100}, []int64{1}, false},
		"some large": {network{cuts: manyCuts, large: 100}, []int64{1, 101, 2}, false},
		"none large": {network{cuts: manyCuts, large: 100}, []int64{1, 100, 2}, true},
	} {
		if err := c.network.reportLosses(io.Discard, c.lost); (err != nil) != c.bad {
			t.Errorf("%s: %v", name, err)
		}
	}
}
