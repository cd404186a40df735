package health_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/rpc/health"
)

func TestHTTPProbesGetTheStatus(t *testing.T) {
	status := health.NewServer()
	status.Set(users, health.NotServing)
	for _, c := range []struct {
		method, target string
		want           int
		body           string
	}{
		{"GET", "/healthz", http.StatusOK, "SERVING"},
		{"HEAD", "/healthz", http.StatusOK, "SERVING"}, // net/http drops the body
		{"GET", "/healthz?service=" + users, http.StatusServiceUnavailable, "NOT_SERVING"},
		{"GET", "/healthz?service=acme.Nobody", http.StatusNotFound, "SERVICE_UNKNOWN"},
		{"POST", "/healthz", http.StatusMethodNotAllowed, "use GET"},
	} {
		w := httptest.NewRecorder()
		status.ServeHTTP(w, httptest.NewRequest(c.method, c.target, nil))
		if w.Code != c.want || strings.TrimSpace(w.Body.String()) != c.body {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.target, w.Code, w.Body, c.want, c.body)
		}
	}
	status.Shutdown()
	w := httptest.NewRecorder()
	status.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("after Shutdown: %d", w.Code)
	}
}
