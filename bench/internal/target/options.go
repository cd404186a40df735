package target

import (
	"context"
	"errors"
	"time"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/bench/internal/drive"
)

// What unary calls carry if drive.Setup.Options is set.
const (
	optionsTimeout = time.Minute
	tenantKey      = "tenant"
	requestKey     = "request-id"
	metadataValue  = "0123456789abcdef"
)

// errOptions is the error of a call that has arrived without its options.
var errOptions = errors.New("no deadline, or not the metadata")

// checkOptions returns errOptions unless a call has the deadline and the
// metadata. value returns the value of a key.
func checkOptions(ctx context.Context, value func(key string) string) error {
	_, ok := ctx.Deadline()
	if !ok || value(tenantKey) != metadataValue || value(requestKey) != metadataValue {
		return errOptions
	}
	return nil
}

// deadlineClient gives each unary call a deadline.
type deadlineClient struct{ drive.Client }

func (c deadlineClient) Echo(ctx context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, optionsTimeout)
	defer cancel()
	return c.Client.Echo(ctx, req)
}
