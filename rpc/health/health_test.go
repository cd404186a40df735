package health_test

import (
	"context"
	"errors"
	"iter"
	"maps"
	"net/http/httptest"
	"strings"
	"testing"

	healthv1 "github.com/parley-rpc/parley/gen/parley/health/v1"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/rpc/health"
	"github.com/parley-rpc/parley/transport"
)

const users = "acme.users.v1.UserService"

// serve serves the health of status and returns a client of it.
func serve(t *testing.T, status *health.Server, opts ...rpc.ClientOption) (*health.Client, *rpc.Client, *rpc.Server) {
	t.Helper()
	return serveService(t, status.Service(), opts...)
}

func serveService(t *testing.T, service *rpc.Service, opts ...rpc.ClientOption) (*health.Client, *rpc.Client, *rpc.Server) {
	t.Helper()
	srv := rpc.NewServer(rpc.WithDrain(rpc.Drain{Spread: -1}))
	srv.Register(service)
	web := httptest.NewServer(srv)
	caller := rpc.NewClient("ws"+strings.TrimPrefix(web.URL, "http"), opts...)
	t.Cleanup(func() {
		_ = caller.Close()
		_ = srv.Close()
		web.Close()
	})
	return health.NewClient(caller), caller, srv
}

// watch starts to watch, until the test ends.
func watch(t *testing.T, client *health.Client, service string) (next func() (health.Status, error)) {
	t.Helper()
	pull, stop := iter.Pull2(client.Watch(t.Context(), service))
	t.Cleanup(stop)
	return func() (health.Status, error) {
		status, err, ok := pull()
		if !ok {
			t.Fatal("the watch has ended")
		}
		return status, err
	}
}

// want fails the test unless these are the next statuses of a watch.
func want(t *testing.T, next func() (health.Status, error), statuses ...health.Status) {
	t.Helper()
	for _, want := range statuses {
		if got, err := next(); err != nil || got != want {
			t.Fatalf("the watch says %v, %v, want %v", got, err, want)
		}
	}
}

func TestCheckAndListTellWhatWasSetLast(t *testing.T) {
	status := health.NewServer()
	client, _, _ := serve(t, status)
	status.Set(users, health.Unknown)
	status.Set(users, health.NotServing)
	for _, codec := range []string{rpc.CodecProto, rpc.CodecJSON} {
		for service, want := range map[string]health.Status{"": health.Serving, users: health.NotServing} {
			if got, err := client.Check(t.Context(), service, rpc.WithCodecName(codec)); err != nil || got != want {
				t.Errorf("%s: Check(%q) = %v, %v, want %v", codec, service, got, err, want)
			}
		}
		all, err := client.List(t.Context(), rpc.WithCodecName(codec))
		if want := (map[string]health.Status{"": health.Serving, users: health.NotServing}); err != nil || !maps.Equal(all, want) {
			t.Errorf("%s: List = %v, %v, want %v", codec, all, err, want)
		}
	}
}

func TestCheckOfAServiceWithoutStatusIsNotFound(t *testing.T) {
	status := health.NewServer()
	client, _, _ := serve(t, status)
	status.Set(users, health.Serving)
	status.Set(users, health.ServiceUnknown) // removes its status
	if _, err := client.Check(t.Context(), users); !errors.Is(err, rpc.CodeNotFound) {
		t.Errorf("Check: %v", err)
	}
	if all, err := client.List(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("List = %v, %v", all, err)
	}
}

func TestListOfMoreThanAHundredServicesIsRefused(t *testing.T) {
	status := health.NewServer()
	client, _, _ := serve(t, status)
	for n := range 100 {
		status.Set(strings.Repeat("x", n+1), health.Serving)
	}
	if _, err := client.List(t.Context()); !errors.Is(err, rpc.CodeResourceExhausted) {
		t.Errorf("101 services: %v", err)
	}
	status.Set("x", health.ServiceUnknown)
	if all, err := client.List(t.Context()); err != nil || len(all) != 100 {
		t.Errorf("100 services: %d, %v", len(all), err)
	}
}

func TestWatchReturnsTheStatusAndEachChange(t *testing.T) {
	status := health.NewServer()
	client, _, _ := serve(t, status)
	next, other := watch(t, client, users), watch(t, client, "")
	want(t, next, health.ServiceUnknown)
	want(t, other, health.Serving)
	for _, s := range []health.Status{health.Serving, health.NotServing, health.ServiceUnknown, health.Unknown, health.Serving} {
		status.Set(users, s)
		want(t, next, s)
	}
	status.Set(users, health.Serving) // no change
	status.Set("", health.NotServing) // nor for this service
	status.Set(users, health.NotServing)
	want(t, next, health.NotServing)
	want(t, other, health.NotServing)
}

func TestShutdownIsReportedAndLasts(t *testing.T) {
	status := health.NewServer()
	client, _, _ := serve(t, status)
	status.Set(users, health.Serving)
	next, unknown := watch(t, client, users), watch(t, client, "acme.Nobody")
	want(t, next, health.Serving)
	want(t, unknown, health.ServiceUnknown)
	status.Shutdown()
	want(t, next, health.NotServing)
	status.Set(users, health.Serving)
	status.Set("acme.Nobody", health.Serving)
	if got, err := client.Check(t.Context(), users); err != nil || got != health.NotServing {
		t.Errorf("Check = %v, %v", got, err)
	}
	status.Resume()
	want(t, next, health.Serving)
	status.Set("acme.Nobody", health.NotServing)
	want(t, unknown, health.NotServing)
}

// TestWatchersDoNotHoldUpShutdown has watchers that never end by themselves.
func TestWatchersDoNotHoldUpShutdown(t *testing.T) {
	status := health.NewServer()
	client, _, srv := serve(t, status)
	var watches []func() (health.Status, error)
	for range 3 {
		next := watch(t, client, "")
		want(t, next, health.Serving)
		watches = append(watches, next)
	}
	status.Shutdown()
	if err := srv.Shutdown(context.Background()); err != nil { // no deadline: a watch would hold it up forever
		t.Fatal(err)
	}
	for _, next := range watches {
		want(t, next, health.NotServing)
		if _, err := next(); !errors.Is(err, rpc.CodeUnavailable) {
			t.Errorf("the watch ends with %v", err)
		}
	}
}

// TestSlowWatcherDelaysNoOther has a watcher with a small window, which reads
// nothing while the status changes often.
func TestSlowWatcherDelaysNoOther(t *testing.T) {
	const changes = 4_000
	status := health.NewServer()
	client, caller, _ := serve(t, status, rpc.WithTransport(transport.Parameters{InitialWindow: 16 << 10, MaxWindow: 16 << 10}))
	method := &rpc.Method{Service: health.ServiceName, Name: "Watch", ServerStreams: true}
	slow, err := rpc.CallServerStream[healthv1.HealthCheckRequest, healthv1.HealthCheckResponse](
		t.Context(), caller, method, new(healthv1.HealthCheckRequest))
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	quick := watch(t, client, "")
	want(t, quick, health.Serving)
	for range changes / 2 {
		status.Set("", health.NotServing)
		want(t, quick, health.NotServing)
		status.Set("", health.Serving)
		want(t, quick, health.Serving)
	}
	status.Set("", health.Unknown)
	want(t, quick, health.Unknown)
	for told := 1; ; told++ {
		res, err := slow.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if res.Status == healthv1.HealthCheckResponse_UNKNOWN {
			t.Logf("the slow watcher was told %d of %d", told, changes)
			if told > changes/2 {
				t.Errorf("%d statuses were kept for the slow watcher", told)
			}
			return
		}
	}
}

func TestNamesThatAreWatchedAreBounded(t *testing.T) {
	client, _, _ := serve(t, health.NewServer())
	long := strings.Repeat("x", 16<<10)
	want(t, watch(t, client, long), health.ServiceUnknown)
	if _, err := watch(t, client, long+"x")(); !errors.Is(err, rpc.CodeInvalidArgument) {
		t.Errorf("a longer name: %v", err)
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	client, _, _ := serve(t, health.NewServer())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var ended error
	for _, err := range client.Watch(ctx, "") {
		cancel()
		ended = err
	}
	if !errors.Is(ended, rpc.CodeCanceled) {
		t.Errorf("the last item is %v", ended)
	}
}

func TestWatchThatCannotBeginIsAnError(t *testing.T) {
	client, caller, _ := serve(t, health.NewServer())
	_ = caller.Close()
	if _, err := watch(t, client, "")(); !errors.Is(err, rpc.CodeCanceled) {
		t.Errorf("got %v", err)
	}
}

// A watch always ends with a status, whatever the server does.
func TestWatchThatEndsWithOKIsAnError(t *testing.T) {
	client, _, _ := serveService(t, &rpc.Service{Name: health.ServiceName, Methods: []rpc.ServiceMethod{{
		Method: &rpc.Method{Service: health.ServiceName, Name: "Watch", ServerStreams: true},
		Handler: rpc.ServerStreamHandler(func(context.Context, *healthv1.HealthCheckRequest, rpc.Sender[healthv1.HealthCheckResponse]) error {
			return nil
		}),
	}}})
	if _, err := watch(t, client, "")(); !errors.Is(err, rpc.CodeUnavailable) {
		t.Errorf("got %v", err)
	}
	if _, err := client.List(t.Context()); !errors.Is(err, rpc.CodeUnimplemented) {
		t.Errorf("List: %v", err)
	}
}

func TestStatusesHaveTheNamesOfGRPC(t *testing.T) {
	for status, want := range map[health.Status]string{
		health.Unknown: "UNKNOWN", health.Serving: "SERVING", health.NotServing: "NOT_SERVING",
		health.ServiceUnknown: "SERVICE_UNKNOWN", 7: "STATUS_7",
	} {
		if got := status.String(); got != want {
			t.Errorf("%d is %s, want %s", status, got, want)
		}
	}
}
