package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/child"
	"github.com/parley-rpc/parley/tests/internal/rig"
	"github.com/parley-rpc/parley/transport"
)

// `make attack` measures the effect on other clients. Here other tests run at
// the same time.

// runVariable is the environment variable that makes the tests the command.
const runVariable = "PARLEY_ATTACK_RUN"

func TestMain(m *testing.M) {
	if err := asChild(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if os.Getenv(runVariable) != "" {
		main()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// startServer starts a server. The server and the context end with the test.
func startServer(t *testing.T) (context.Context, string) {
	t.Helper()
	server, err := child.Start(serveVariable, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx, server.Ready
}

func TestFloodsAreEndedByTheServer(t *testing.T) {
	for _, name := range []string{"rapid-reset", "ping-flood"} {
		t.Run(name, func(t *testing.T) {
			a, ok := named(name)
			if !ok {
				t.Fatal("there is no such attack")
			}
			ctx, addr := startServer(t)
			err := a.once(ctx, addr, new(tally))
			var closed *transport.CloseError
			if !errors.As(err, &closed) || !closed.Remote || closed.Code != 4008 {
				t.Errorf("the connection ended with %v, want close code 4008", err)
			}
		})
	}
}

func TestSessionsWhoseIDsWrapAreEndedAndOthersGoOn(t *testing.T) {
	ctx, addr := startServer(t)
	other := rpc.NewClient("ws://" + addr + rig.Path)
	defer other.Close()
	st, err := rpc.CallBidi[wrapperspb.BytesValue, wrapperspb.BytesValue](ctx, other, talk)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for _, ids := range wraps {
		var n tally
		if err := wrapped(ctx, addr, ids, &n); n.units.Load() != 1 || n.won.Load() != 0 {
			t.Errorf("ids %d ended with %v, want close code 1002", ids, err)
		}
		if err := st.Send(wrapperspb.Bytes([]byte("on"))); err != nil {
			t.Fatal(err)
		}
		if m, err := st.Recv(); err != nil || string(m.Value) != "on" {
			t.Fatalf("the call of another client: %q, %v", m.GetValue(), err)
		}
	}
}

func TestSessionIsNotHijackedAndItsCallLosesNothing(t *testing.T) {
	ctx, addr := startServer(t)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var n tally
	v := newVictim(ctx, addr, func(s *secret) { n.stolen.Store(s) })
	a := attack{attackers: 2, once: func(ctx context.Context, addr string, n *tally) error {
		if n.units.Load() >= 400 && v.resumed.Load() >= 4 {
			cancel()
		}
		return hijack(ctx, addr, n)
	}}
	a.attack(ctx, addr, &n)
	if err := v.leave(); err != nil {
		t.Errorf("the victim's call: %v", err)
	}
	if n.units.Load() < 400 || v.resumed.Load() < 4 {
		t.Fatalf("%d attempts, %v: %v", n.units.Load(), v, n.deeds().said)
	}
	if n.won.Load() != 0 {
		t.Errorf("%d of %d attempts got another answer than that the session is unknown: %s", n.won.Load(), n.units.Load(), n.deeds().said)
	}
}

// The victim's own secret works, so the attempts above do not fail for another
// reason.
func TestSecretThatIsNotStolenResumesItsSession(t *testing.T) {
	ctx, addr := startServer(t)
	told := make(chan *secret, 100)
	v := newVictim(ctx, addr, func(s *secret) { told <- s })
	var n tally
	if err := (<-told).resume(ctx, addr, victimName, &n); err != nil {
		t.Error(err)
	}
	if n.won.Load() != 1 {
		t.Error("the session was not resumed")
	}
	_ = v.leave() // its session was resumed by the attacker above
}

func TestAttackersRunOnlyOnProcessorsThatNothingElseWants(t *testing.T) {
	attackers, err := startAttackers(control, "nowhere")
	if err != nil {
		t.Fatal(err)
	}
	defer attackers.Kill()
	for _, policy := range policies(t, attackers.PID()) {
		if policy != "5" { // SCHED_IDLE; sched(7)
			t.Errorf("a thread has policy %s", policy)
		}
	}
}

// TestServerAndClientsHaveRealTimePriority needs the right to have it.
func TestServerAndClientsHaveRealTimePriority(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-only", "half-open", "-turns", "1", "-seconds", "100")
	cmd.Env = append(os.Environ(), runVariable+"=yes")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()         //nolint:errcheck // it is killed
	defer cmd.Process.Kill() //nolint:errcheck // it runs
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	want := "2" // SCHED_RR
	if exec.Command("chrt", "--rr", "1", "true").Run() != nil {
		want = "0" // SCHED_OTHER: this user may not have more
	}
	for _, policy := range policies(t, cmd.Process.Pid) {
		if policy != want {
			t.Errorf("a thread has policy %s, want %s", policy, want)
		}
	}
}

// policies returns the scheduling policies of a process's threads.
func policies(t *testing.T, pid int) (all []string) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) < 2 {
		t.Fatalf("threads %v, %v", threads, err)
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if errors.Is(err, os.ErrNotExist) {
			continue // it has ended
		}
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := bytes.Cut(stat, []byte(") "))
		all = append(all, string(bytes.Fields(rest)[38])) // proc(5)
	}
	return all
}

func TestBystandersSufferNothingWithoutAnAttack(t *testing.T) {
	ctx, addr := startServer(t)
	crowd := comeAndGo(ctx, addr, nil).(*newcomers)
	one := sleep(ctx, addr, nil).(*sleeper)
	for (crowd.connected.Load() < 30 || one.slept.Load() < 2) && ctx.Err() == nil && crowd.refused.Load() == 0 {
		pause(ctx, rhythm)
	}
	if err := errors.Join(crowd.leave(), one.leave(), ctx.Err()); err != nil {
		t.Error(err)
	}
}

// The attack keeps the rules, so the server does not end it and goes on
// answering.
func TestAcknowledgementsOneByOneAreTaken(t *testing.T) {
	ctx, addr := startServer(t)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	const most = 20_000
	var n tally
	ended := make(chan error, 1)
	go func() { ended <- ackFlood(ctx, addr, &n) }()
	for n.units.Load() < most && ctx.Err() == nil && len(ended) == 0 {
		pause(ctx, rhythm)
	}
	cancel()
	if err := <-ended; n.units.Load() < most {
		t.Errorf("ended after %d: %v", n.units.Load(), err)
	}
}

// What a peer may acknowledge is bounded by what was sent, whether it has read
// that or not.
func TestAcknowledgementsOfWhatWasNotSentAreRefused(t *testing.T) {
	ctx, addr := startServer(t)
	var n tally
	if err := acknowledgeUnread(ctx, addr, &n); n.units.Load() != hoarding || n.won.Load() != 0 {
		t.Errorf("%d of %d sessions ended: %v", n.units.Load(), hoarding, err)
	}
}

func TestAttackersOfAServerWithFarTooMuchMemoryAreStopped(t *testing.T) {
	attackers, err := startAttackers(control, "nowhere")
	if err != nil {
		t.Fatal(err)
	}
	defer attackers.Kill()
	ctx, cancel := context.WithCancel(t.Context())
	if most := watch(ctx, attackers, 1, cancel); most <= 1 || ctx.Err() == nil {
		t.Errorf("%d bytes, %v", most, ctx.Err())
	}
}

func TestTurnsAreTakenAgainWhileTheRatioIsTooHigh(t *testing.T) {
	at := func(ms int) []time.Duration { return []time.Duration{time.Duration(ms) * time.Millisecond} }
	slow, well := figures{quiet: at(1), under: at(4)}, figures{quiet: at(1), under: at(3)}
	for name, c := range map[string]struct {
		m    *measurement
		want int // turns
	}{
		"all is well":      {&measurement{turns: 3, figures: well}, 3},
		"too high":         {&measurement{turns: 3, figures: slow}, 9},
		"nothing to judge": {&measurement{turns: 1}, 1},
		"stopped":          {&measurement{turns: 3, figures: slow, stopped: true}, 0},
	} {
		taken := 0
		for c.m.goesOn(taken) {
			taken++
		}
		if taken != c.want {
			t.Errorf("%s: %d turns, want %d", name, taken, c.want)
		}
	}
}

func TestMedianIsInTheMiddle(t *testing.T) {
	for want, d := range map[time.Duration][]time.Duration{0: nil, 7: {7}, 4: {9, 1, 4}, 3: {1, 9, 4, 2}} {
		if got := median(d); got != want {
			t.Errorf("median of %d is %d", d, got)
		}
	}
}

func TestVerdictNamesWhatIsWrong(t *testing.T) {
	at := func(ms int) []time.Duration { return []time.Duration{time.Duration(ms) * time.Millisecond} }
	for name, c := range map[string]struct {
		f    figures
		want string // in the verdict; "" for none
	}{
		"all is well":        {figures{quiet: at(1), idle: at(1), under: at(3)}, ""},
		"slow":               {figures{quiet: at(1), idle: at(1), under: at(4)}, "4.0 times"},
		"too busy":           {figures{quiet: at(9), idle: at(1), under: at(3)}, "too busy"},
		"memory":             {figures{quiet: at(1), idle: at(1), under: at(1), most: mostMemory + 1}, "bytes of memory"},
		"nothing to compare": {figures{under: at(100)}, ""},
		"hijacked":           {figures{quiet: at(1), idle: at(1), under: at(1), did: deeds{won: 1}}, "succeeded 1 times"},
		"a call's error":     {figures{quiet: at(1), idle: at(1), under: at(1), failed: errors.New("gone")}, "gone"},
	} {
		err := c.f.judge()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
