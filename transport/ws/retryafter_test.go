package ws_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/transport/ws"
)

func TestRetryAfterOfARefusalIsATime(t *testing.T) {
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	for value, want := range map[string]time.Duration{
		"":                        0,
		"0":                       0,
		"2":                       2 * time.Second,
		" 120 ":                   2 * time.Minute,
		"9999999":                 24 * time.Hour,
		strings.Repeat("9", 30):   24 * time.Hour,
		in(time.Hour):             time.Hour,
		in(100 * time.Hour):       24 * time.Hour,
		in(-time.Hour):            0,
		"-5":                      0,
		"1.5":                     0,
		"soon":                    0,
		"Fri, 31 Dec 1999 23:59":  0,
		"Friday, 31-Dec-99 00:00": 0,
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", value)
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		_, err := new(ws.Dialer).Dial(t.Context(), "ws"+strings.TrimPrefix(srv.URL, "http"))
		srv.Close()
		var refused *ws.HandshakeError
		if !errors.As(err, &refused) || refused.Status != http.StatusServiceUnavailable {
			t.Fatalf("got %v", err)
		}
		if got := refused.RetryAfter; got > want || want-got > 5*time.Second && want < 24*time.Hour { // a date has whole seconds
			t.Errorf("Retry-After %q: %v, want %v", value, got, want)
		}
	}
}
