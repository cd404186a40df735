package rpc

import (
	"reflect"
	"testing"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// TestWithTransportTakesBoundsOnly: what a session tells, and whose it is, is the
// business of this package.
func TestWithTransportTakesBoundsOnly(t *testing.T) {
	var cfg transport.Config
	fields := reflect.ValueOf(&cfg).Elem()
	for i := range fields.NumField() {
		switch f := fields.Field(i); f.Kind() {
		case reflect.Func:
			f.Set(reflect.MakeFunc(f.Type(), func([]reflect.Value) []reflect.Value { panic("called") }))
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
		case reflect.String:
			f.SetString("given")
		default:
			f.SetInt(7)
		}
	}
	c := NewClient("ws://server.test", WithTransport(transport.Config{MaxStreams: 1}), WithTransport(cfg))
	defer c.Close()
	bounds := map[string]bool{"WindowBudget": true, "ReassemblyBudget": true, "Agent": true}
	got := reflect.ValueOf(c.transport)
	for i := range got.NumField() {
		name, f := got.Type().Field(i).Name, got.Field(i)
		isBound := bounds[name] || f.CanInt()
		if f.IsZero() == isBound {
			t.Errorf("%s is %v", name, f)
		}
	}
}

func TestWithResumptionGoesBeforeWithTransport(t *testing.T) {
	cfg := WithTransport(transport.Config{ResumeWindow: time.Second, ReplayLimit: 1 << 17})
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
		if got := client.config(); got.ResumeWindow != c.window || got.ReplayLimit != c.replay {
			t.Errorf("%s: %v, %d", name, got.ResumeWindow, got.ReplayLimit)
		}
		_ = client.Close()
	}
}
