package otelparley

import (
	"maps"
	"slices"
	"strings"

	"go.opentelemetry.io/otel"

	"github.com/parley-rpc/parley/rpc"
)

// request is the metadata of a call as a propagator sees it.
type request struct {
	call   *rpc.Call
	header rpc.Metadata
}

func newRequest(c *rpc.Call) request { return request{c, c.Header()} }

// Get returns the last value of a key: a caller who passes on the metadata of the
// call that it serves has the values of that call's caller before its own.
func (r request) Get(key string) string {
	values := r.header.Values(strings.ToLower(key))
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// Set adds to the metadata of a call that is about to be made. What cannot travel is
// left out: a call does not fail for it.
func (r request) Set(key, value string) {
	if err := r.call.SetHeader(strings.ToLower(key), value); err != nil {
		otel.Handle(err)
	}
}

// Keys returns all keys.
func (r request) Keys() []string { return slices.Collect(maps.Keys(r.header)) }
