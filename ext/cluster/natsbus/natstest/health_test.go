package natstest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/parley-rpc/parley/ext/cluster"
	"github.com/parley-rpc/parley/rpc/health"
)

func TestHealthShowsThatNATSIsAway(t *testing.T) {
	s := newServer(t)
	node, _ := startNode(t, s.newBus())
	status := health.NewServer()
	node.ReportHealth(status)
	want := func(code int) {
		t.Helper()
		eventually(t, limit, "the status of the cluster", func() error {
			w := httptest.NewRecorder()
			status.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?service="+cluster.HealthService, http.NoBody))
			if w.Code != code {
				return errors.New(w.Body.String())
			}
			return nil
		})
	}
	want(http.StatusOK)
	s.kill()
	want(http.StatusServiceUnavailable)
	if stats := node.Stats(); stats.BusAvailable || stats.BusLosses != 0 {
		t.Errorf("without NATS: %+v", stats)
	}
	s.start()
	want(http.StatusOK)
	if stats := node.Stats(); !stats.BusAvailable || stats.BusLosses != 1 {
		t.Errorf("with NATS again: %+v", stats)
	}
}
