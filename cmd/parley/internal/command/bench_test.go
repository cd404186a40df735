package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/cmd/parley/internal/command"
	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// benchPing measures a method of PingService.
func benchPing(t *testing.T, url, method string, args ...string) result {
	t.Helper()
	return run(t, append(append([]string{"bench", url, "parley.ping.v1.PingService/" + method}, pingProto...), args...)...)
}

// benched is the output of bench for scripts.
type benched struct {
	Method         string
	Seconds        float64
	Calls, Failed  int64
	CallsPerSecond float64
	Failures       map[string]int64
	TimesMs        map[string]float64
	Histogram      []struct {
		FromMs, ToMs float64
		Calls        int64
	}
}

func (r result) benched(t *testing.T) (b benched) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.out), &b); err != nil {
		t.Fatalf("%v: %q %s", err, r.out, r.err)
	}
	return b
}

func TestBenchMakesAsManyCallsAsAsked(t *testing.T) {
	url := pingEndpoint(t)
	for method, data := range map[string]string{
		"Ping": `{"text":"a"}`, "CountUp": `{"to":5}`, "Sum": `{"number":1} {"number":2}`, "CumSum": `{"number":1} {"number":2}`,
	} {
		r := benchPing(t, url, method, "-n", "200", "-c", "7", "--connections", "3", "-d", data, "-o", "json", "-H", "key: value")
		b := r.benched(t)
		if r.exit != 0 || b.Calls != 200 || b.Failed != 0 || b.CallsPerSecond <= 0 || !strings.HasSuffix(b.Method, method) {
			t.Errorf("%s: exit code %d, %+v %s", method, r.exit, b, r.err)
		}
		if !(b.TimesMs["min"] > 0 && b.TimesMs["min"] <= b.TimesMs["p50"] && b.TimesMs["p50"] <= b.TimesMs["p99"] && b.TimesMs["p99"] <= b.TimesMs["max"]) {
			t.Errorf("%s: %v", method, b.TimesMs)
		}
		var sum int64
		for _, k := range b.Histogram {
			sum += k.Calls
		}
		if sum != 200 {
			t.Errorf("%s: there are %d calls in the histogram", method, sum)
		}
	}
}

func TestBenchPrintsAHistogram(t *testing.T) {
	r := benchPing(t, pingEndpoint(t), "Ping", "-n", "500", "-c", "5")
	want := regexp.MustCompile(`^500 calls in \d+\.\d s: \d+ a second

    min +[\d.]+ ms
   mean +[\d.]+ ms
    p50 +[\d.]+ ms
    p90 +[\d.]+ ms
    p95 +[\d.]+ ms
    p99 +[\d.]+ ms
  p99.9 +[\d.]+ ms
    max +[\d.]+ ms

( +[\d.]+ to +[\d.]+ ms +\d+ #*\n){12}$`)
	if r.exit != 0 || r.err != "" || !want.MatchString(r.out) {
		t.Errorf("exit code %d, %s\n%s", r.exit, r.err, r.out)
	}
}

func TestBenchCountsFailuresByTheirCodes(t *testing.T) {
	url := pingEndpoint(t)
	r := benchPing(t, url, "Ping", "-n", "20", "-c", "2", "-d", `{"failCode":5}`)
	if r.exit != 1 || !strings.Contains(r.out, "\n20 calls failed: 20 NOT_FOUND\n") || r.err != "parley: 20 of 20 calls failed\n" {
		t.Errorf("exit code %d, %s%s", r.exit, r.out, r.err)
	}
	b := benchPing(t, url, "Ping", "-n", "3", "-c", "3", "--timeout", "5ms", "-d", `{"delayMs":60000}`, "-o", "json").benched(t)
	if b.Failures["DEADLINE_EXCEEDED"] != 3 || b.Calls != 0 {
		t.Errorf("got %+v", b)
	}
}

// TestBenchEndsWhenItsTimeIsUp checks too that bench does not count the calls
// that this cuts off.
func TestBenchEndsWhenItsTimeIsUp(t *testing.T) {
	r := benchPing(t, pingEndpoint(t), "Ping", "--duration", "30ms", "-d", `{"delayMs":60000}`)
	r.wantFailure(t, 1, "no call ended in time")
}

// lingering responds to the first call only.
type lingering struct {
	pingv1parley.UnimplementedPingServiceServer
	once chan struct{}
	more func()
}

func (l lingering) Ping(ctx context.Context, _ *pingv1.PingRequest) (*pingv1.PingResponse, error) {
	select {
	case l.once <- struct{}{}:
		return &pingv1.PingResponse{}, nil
	default:
		l.more()
		<-ctx.Done()
		return nil, ctx.Err()
	}
}

func TestBenchShowsWhatItHasWhenItIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	srv := rpc.NewServer()
	pingv1parley.RegisterPingServiceServer(srv, lingering{once: make(chan struct{}, 1), more: cancel})
	r := runWith(ctx, "", append([]string{"bench", endpoint(t, srv), "parley.ping.v1.PingService/Ping", "-c", "1", "--duration", "1h"}, pingProto...)...)
	if r.exit != 4 || !strings.HasPrefix(r.out, "1 calls in ") || r.err != "parley: interrupted\n" {
		t.Errorf("exit code %d, %s%s", r.exit, r.out, r.err)
	}
}

func TestBenchSaysOnATerminalHowItGoes(t *testing.T) {
	var out, err bytes.Buffer
	args := append([]string{"bench", pingEndpoint(t), "parley.ping.v1.PingService/Ping", "-n", "10", "-c", "2"}, pingProto...)
	exit := command.Run(t.Context(), args, command.Streams{In: strings.NewReader(""), Out: &out, Err: &err, Live: true})
	const clearLine = "\r\x1b[K"
	if s := withoutNumbers(err.String()); exit != 0 || !strings.HasPrefix(err.String(), clearLine) || !strings.HasSuffix(err.String(), clearLine) ||
		!strings.Contains(s, "N s: N calls, N a second, N failed, pN N ms, pN N ms") {
		t.Errorf("exit code %d, %q", exit, err.String())
	}
}

func TestBenchesThatMakeNoSenseAreRefused(t *testing.T) {
	url := pingEndpoint(t)
	for says, args := range map[string][]string{
		"-c and --connections must be at least 1":                  {"-c", "0"},
		"--connections 3: there are only 2 calls in flight (-c)":   {"-c", "2", "--connections", "3"},
		"-n, --duration and --timeout must not be negative":        {"-n", "-1"},
		"--duration must be positive, unless -n says":              {"--duration", "0"},
		`unknown field "txt"`:                                      {"-d", `{"txt":1}`},
		"parley.ping.v1.PingService/Ping takes one request, not 2": {"-d", `{}{}`},
		"-H \"x\": write it as 'key: value'":                       {"-H", "x"},
	} {
		benchPing(t, url, "Ping", args...).wantFailure(t, 2, says)
	}
	benchPing(t, url, "Pong").wantFailure(t, 2, "has no method Pong")
	gone := httptest.NewServer(nil)
	gone.Close()
	benchPing(t, gone.URL, "Ping").wantFailure(t, 3, "no server listens at ")
}
