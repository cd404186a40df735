package grpcparley_test

import (
	"errors"
	"iter"
	"testing"

	"google.golang.org/grpc/codes"
	grpchealth "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/rpc/health"
)

// This program links the health service of grpc-go and that of rpc/health. It
// starts only if their messages are registered under different names.

func TestClientsOfGRPCUnderstandTheHealthOfParley(t *testing.T) {
	srv, service := rpc.NewServer(), health.NewServer()
	srv.Register(service.Service())
	client := healthpb.NewHealthClient(grpcparley.NewClientConn(connect(t, listen(t, srv))))
	watch, err := client.Watch(t.Context(), &healthpb.HealthCheckRequest{Service: "acme.Users"})
	if err != nil {
		t.Fatal(err)
	}
	for status, want := range map[health.Status]healthpb.HealthCheckResponse_ServingStatus{
		health.Unknown:        healthpb.HealthCheckResponse_UNKNOWN,
		health.Serving:        healthpb.HealthCheckResponse_SERVING,
		health.NotServing:     healthpb.HealthCheckResponse_NOT_SERVING,
		health.ServiceUnknown: healthpb.HealthCheckResponse_SERVICE_UNKNOWN,
	} {
		service.Set("acme.Users", status)
		for told := healthpb.HealthCheckResponse_ServingStatus(-1); told != want; { // the status before may come first
			res, err := watch.Recv()
			if err != nil {
				t.Fatal(err)
			}
			told = res.GetStatus()
		}
		if status == health.ServiceUnknown {
			continue
		}
		if res, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "acme.Users"}); err != nil || res.GetStatus() != want {
			t.Errorf("Check: %v, %v, want %v", res, err, want)
		}
		list, err := client.List(t.Context(), new(healthpb.HealthListRequest))
		if err != nil || list.GetStatuses()["acme.Users"].GetStatus() != want || list.GetStatuses()[""].GetStatus() != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("List: %v, %v, want %v", list, err, want)
		}
	}
	service.Set("acme.Users", health.ServiceUnknown)
	_, err = client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "acme.Users"})
	wantCode(t, err, codes.NotFound)
}

func TestTheHealthClientOfParleyUnderstandsGRPC(t *testing.T) {
	srv, service := rpc.NewServer(), grpchealth.NewServer()
	healthpb.RegisterHealthServer(grpcparley.NewRegistrar(srv), service)
	client := health.NewClient(connect(t, listen(t, srv)))
	next, stop := iter.Pull2(client.Watch(t.Context(), "acme.Users"))
	defer stop()
	want := func(want health.Status) {
		t.Helper()
		if got, err, _ := next(); err != nil || got != want {
			t.Fatalf("watched %v, %v, want %v", got, err, want)
		}
	}
	want(health.ServiceUnknown)
	service.SetServingStatus("acme.Users", healthpb.HealthCheckResponse_SERVING)
	want(health.Serving)
	service.Shutdown()
	want(health.NotServing)
	if all, err := client.List(t.Context()); err != nil || all["acme.Users"] != health.NotServing || all[""] != health.NotServing {
		t.Errorf("List: %v, %v", all, err)
	}
	if _, err := client.Check(t.Context(), "nobody"); !errors.Is(err, rpc.CodeNotFound) {
		t.Errorf("Check of a service that has no status: %v", err)
	}
}
