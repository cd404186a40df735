package ws_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/parley-rpc/parley/transport/ws"
)

// TestPageLearnsThatItsOriginIsRefused has scripts of several origins that ask
// why their WebSocket was refused. Each may read the response, which contains
// nothing else.
func TestPageLearnsThatItsOriginIsRefused(t *testing.T) {
	u := &ws.Upgrader{Origins: []string{"http://localhost:*"}}
	for _, c := range []struct {
		origin  string // "": not a page, or one of the same origin, which sends no Origin
		status  int
		readers string
	}{
		{"", http.StatusUpgradeRequired, ""},
		{"http://example.com", http.StatusUpgradeRequired, "http://example.com"},
		{"http://localhost:5173", http.StatusUpgradeRequired, "http://localhost:5173"},
		{"http://evil.test", http.StatusForbidden, "*"},
		{"null", http.StatusForbidden, "*"},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://example.com/rpc", nil)
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		w := httptest.NewRecorder()
		if _, err := u.Upgrade(w, r); err == nil {
			t.Errorf("%q: upgraded", c.origin)
		}
		h := w.Header()
		if w.Code != c.status || h.Get("Access-Control-Allow-Origin") != c.readers || h.Get("Parley-Versions") != ws.Subprotocol {
			t.Errorf("%q: %d, %v", c.origin, w.Code, h)
		}
		if exposed := h.Get("Access-Control-Expose-Headers"); (exposed == "Parley-Versions") != (c.origin != "") {
			t.Errorf("%q: exposes %q", c.origin, exposed)
		}
		if h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%q: a page may ask with the cookies of its visitor", c.origin)
		}
	}
}

// TestHandshakeOfARefusedOriginIsNotForScripts: a page may read the response to
// its request, not that to a handshake, which has cookies.
func TestHandshakeOfARefusedOriginIsNotForScripts(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "http://example.com/rpc", nil)
	w := httptest.NewRecorder()
	if originAllowed(new(ws.Upgrader), r, "http://evil.test") {
		t.Error("allowed")
	}
	r = r.Clone(t.Context())
	if _, err := new(ws.Upgrader).Upgrade(w, r); err == nil || w.Code != http.StatusForbidden || len(w.Header()["Access-Control-Allow-Origin"]) > 0 {
		t.Errorf("%d, %v", w.Code, w.Header())
	}
}

// TestPageLearnsThatItsHostIsRefused: its request has no Origin, because to the
// browser it has the same origin.
func TestPageLearnsThatItsHostIsRefused(t *testing.T) {
	for host, status := range map[string]int{"evil.test": http.StatusForbidden, "localhost": http.StatusUpgradeRequired} {
		r := arriving("127.0.0.1", host)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		w := httptest.NewRecorder()
		if _, err := new(ws.Upgrader).Upgrade(w, r); err == nil || w.Code != status || w.Header().Get("Parley-Versions") != ws.Subprotocol {
			t.Errorf("%s: %d, %v", host, w.Code, w.Header())
		}
	}
}
