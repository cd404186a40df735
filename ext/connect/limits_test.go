package parleyconnect_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// post makes a unary call in JSON with one header, and returns its HTTP status
// and the code of Connect.
func post(t *testing.T, url, name, value string) (status int, code string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/"+unary.Path(), strings.NewReader(`"x"`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(name, value)
	response, err := http1Client(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return http.StatusOK, ""
	}
	var answer struct{ Code string }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer.Code
}

func TestRequestsWithLargeHeadersAreRefused(t *testing.T) {
	url, _ := serve(t, echo, quietly, rpc.WithLimits(rpc.Limits{MaxHandshakeHeader: 2 << 10}))
	if status, code := post(t, url, "Cookie", strings.Repeat("x", 1<<10)); status != http.StatusOK {
		t.Errorf("1 KiB: %d %s", status, code)
	}
	status, code := post(t, url, "Cookie", strings.Repeat("x", 2<<10))
	if status != http.StatusRequestHeaderFieldsTooLarge || code != "resource_exhausted" {
		t.Errorf("2 KiB: %d %s", status, code)
	}
}

func TestMetadataOverTheLimitFailsItsCall(t *testing.T) {
	url, _ := serve(t, echo, rpc.WithTransport(transport.Parameters{MaxHeader: 4 << 10}))
	if status, code := post(t, url, "Key", strings.Repeat("x", 3<<10)); status != http.StatusOK {
		t.Errorf("3 KiB: %d %s", status, code)
	}
	status, code := post(t, url, "Key", strings.Repeat("x", 4<<10))
	if status != http.StatusTooManyRequests || code != "resource_exhausted" {
		t.Errorf("4 KiB: %d %s", status, code)
	}
}
