package otelparley

import (
	"maps"
	"slices"
	"strings"

	"go.opentelemetry.io/otel"

	"github.com/parley-rpc/parley/rpc"
)

// incoming adapts the metadata of an incoming call for a propagator.
type incoming rpc.Metadata

// Get returns the last value of a key: a caller that forwards the metadata of
// its own call has the values of that call's caller first.
func (h incoming) Get(key string) string {
	values := rpc.Metadata(h).Values(strings.ToLower(key))
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// Set does nothing: the metadata of the caller does not change.
func (incoming) Set(string, string) {}

// Keys returns all keys.
func (h incoming) Keys() []string { return slices.Collect(maps.Keys(h)) }

// outgoing adapts the metadata of an outgoing call.
type outgoing struct{ *rpc.Call }

// Get returns the last value that Set or the application has set.
func (c outgoing) Get(key string) string { return incoming(c.Header()).Get(key) }

// Set adds to the metadata. It leaves out invalid values, so that the call does
// not fail.
func (c outgoing) Set(key, value string) {
	if err := c.SetHeader(strings.ToLower(key), value); err != nil {
		otel.Handle(err)
	}
}

// Keys returns all keys.
func (c outgoing) Keys() []string { return incoming(c.Header()).Keys() }
