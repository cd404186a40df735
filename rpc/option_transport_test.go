package rpc

import (
	"reflect"
	"testing"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// TestWithTransportTakesAllParametersAndNoFunctions: package rpc sets the
// functions of a session, and its principal.
func TestWithTransportTakesAllParametersAndNoFunctions(t *testing.T) {
	var p transport.Parameters
	fields := reflect.ValueOf(&p).Elem()
	for i := range fields.NumField() {
		switch f := fields.Field(i); f.Kind() {
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
		case reflect.String:
			f.SetString("given")
		default:
			f.SetInt(7) // panics for a function
		}
	}
	c := NewClient("ws://server.test", WithTransport(transport.Parameters{MaxStreams: 1}), WithTransport(p))
	defer c.Close()
	got := reflect.ValueOf(c.transport)
	for i := range got.NumField() {
		if f := got.Field(i); f.IsZero() {
			t.Errorf("%s is %v", got.Type().Field(i).Name, f)
		}
	}
}

func TestWithResumptionGoesBeforeWithTransport(t *testing.T) {
	cfg := WithTransport(transport.Parameters{ResumeWindow: time.Second, ReplayLimit: 1 << 17})
	for name, c := range map[string]struct {
		opts   Option
		window time.Duration
		replay int
	}{
		"alone":            {cfg, time.Second, 1 << 17},
		"before":           {Options(cfg, WithResumption(Resumption{Window: time.Minute})), time.Minute, 1 << 17},
		"behind":           {Options(WithResumption(Resumption{ReplayLimit: 1 << 18}), cfg), time.Second, 1 << 18},
		"with none at all": {Options(WithoutResumption(), cfg), -1, 1 << 17},
	} {
		client := NewClient("ws://server.test", c.opts)
		if got := client.parameters(); got.ResumeWindow != c.window || got.ReplayLimit != c.replay {
			t.Errorf("%s: %v, %d", name, got.ResumeWindow, got.ReplayLimit)
		}
		_ = client.Close()
	}
}
