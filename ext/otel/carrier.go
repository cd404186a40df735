package otelparley

import (
	"maps"
	"slices"
	"strings"

	"go.opentelemetry.io/otel"

	"github.com/parley-rpc/parley/rpc"
)

// incoming is the metadata of a call that is served, as a propagator sees it.
type incoming rpc.Metadata

// Get returns the last value of a key: a caller who passes on the metadata of the
// call that it serves has the values of that call's caller before its own.
func (h incoming) Get(key string) string {
	values := rpc.Metadata(h).Values(strings.ToLower(key))
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// Set does nothing: what a caller has sent is not changed.
func (incoming) Set(string, string) {}

// Keys returns all keys.
func (h incoming) Keys() []string { return slices.Collect(maps.Keys(h)) }

// outgoing is the metadata of a call that is about to be made.
type outgoing struct{ *rpc.Call }

// Get returns what Set, or the application, has set last.
func (c outgoing) Get(key string) string { return incoming(c.Header()).Get(key) }

// Set adds to the metadata. What cannot travel is left out: a call does not fail for
// it.
func (c outgoing) Set(key, value string) {
	if err := c.SetHeader(strings.ToLower(key), value); err != nil {
		otel.Handle(err)
	}
}

// Keys returns all keys.
func (c outgoing) Keys() []string { return incoming(c.Header()).Keys() }
