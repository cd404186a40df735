package health

import (
	"fmt"

	healthv1 "github.com/parley-rpc/parley/gen/parley/health/v1"
)

// Status reports whether calls to a service can succeed.
type Status int32

// The statuses, with gRPC's numbers.
const (
	Unknown    Status = 0 // not determined
	Serving    Status = 1
	NotServing Status = 2
	// ServiceUnknown: the service has no status. Watch says so, as one may come
	// yet.
	ServiceUnknown Status = 3
)

// String returns gRPC's name of the status: "NOT_SERVING".
func (s Status) String() string {
	if name, ok := healthv1.HealthCheckResponse_ServingStatus_name[int32(s)]; ok {
		return name
	}
	return fmt.Sprintf("STATUS_%d", int32(s))
}

// response is the status as it travels.
func (s Status) response() *healthv1.HealthCheckResponse {
	return &healthv1.HealthCheckResponse{Status: healthv1.HealthCheckResponse_ServingStatus(s)}
}
