package parleyconnect_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/rpc"
)

// ask makes a request of a page.
func ask(t *testing.T, method, url, origin string, header http.Header) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(`"x"`))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	req.Header.Set("Content-Type", "application/json")
	if origin != "" {
		req.Header.Set("Origin", origin)
	}
	res, err := http1Client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res
}

func TestPreflightsAreAnsweredByTheRulesOfTheServer(t *testing.T) {
	called := false
	url, _ := serve(t, echo, quietly, rpc.WithOrigins("https://*.page.test"), rpc.WithAuthentication(func(r *http.Request) (context.Context, error) {
		called = true
		return r.Context(), nil
	}))
	url += "/test.Unary/Call"
	preflight := func(origin string) *http.Response {
		return ask(t, http.MethodOptions, url, origin, http.Header{
			"Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"connect-protocol-version,content-type,x-key"},
		})
	}
	own := strings.TrimSuffix(url, "/rpc/test.Unary/Call")
	for _, origin := range []string{"https://a.page.test", own} {
		res := preflight(origin)
		h := res.Header
		if res.StatusCode != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != origin || h.Get("Access-Control-Allow-Credentials") != "true" ||
			h.Get("Access-Control-Allow-Methods") != "GET, POST" || h.Get("Access-Control-Allow-Headers") != "connect-protocol-version,content-type,x-key" {
			t.Errorf("%s: %s, %v", origin, res.Status, h)
		}
		if !strings.Contains(strings.Join(h.Values("Vary"), ","), "Origin") {
			t.Errorf("%s: Vary %q", origin, h.Values("Vary"))
		}
	}
	for _, origin := range []string{"https://evil.test", "null"} {
		if res := preflight(origin); res.StatusCode != http.StatusForbidden || res.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %s, %v", origin, res.Status, res.Header)
		}
	}
	if called {
		t.Error("a preflight, which has no credentials, was authenticated")
	}
	if res := ask(t, http.MethodOptions, url, "", nil); res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, POST" {
		t.Errorf("OPTIONS without a page: %s, %v", res.Status, res.Header)
	}
}

func TestOnlyPagesThatMayConnectCanCall(t *testing.T) {
	calls := 0
	url, _ := serve(t, func(ctx context.Context, s rpc.Stream) error {
		calls++
		if err := s.Call().SetHeader("x-answer", "1"); err != nil {
			return err
		}
		return echo(ctx, s)
	}, quietly, rpc.WithOrigins("https://page.test"))
	url += "/test.Unary/Call"
	res := ask(t, http.MethodPost, url, "https://page.test", nil)
	exposed := res.Header.Get("Access-Control-Expose-Headers")
	if res.StatusCode != http.StatusOK || res.Header.Get("Access-Control-Allow-Origin") != "https://page.test" || !strings.Contains(exposed, "X-Answer") {
		t.Errorf("%s, %v", res.Status, res.Header)
	}
	res = ask(t, http.MethodPost, url, "https://evil.test", nil)
	if res.StatusCode != http.StatusForbidden || res.Header.Get("Access-Control-Allow-Origin") != "" || calls != 1 {
		t.Errorf("%s, %v, %d calls", res.Status, res.Header, calls)
	}
	// A name that was made to resolve to this server.
	get := url + "?encoding=json&message=%22x%22"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, get, nil)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{req.Host: http.StatusOK, "localhost": http.StatusOK, "evil.test": http.StatusForbidden} {
		req.Host = host
		res, err := http1Client(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); res.StatusCode != want {
			t.Errorf("GET as %s: %s", host, res.Status)
		}
	}
}

func TestOnlySafeMethodsCanBeCalledByGET(t *testing.T) {
	url, _ := serve(t, echo)
	for service, want := range map[string]int{"test.Unary": http.StatusOK, "test.Download": http.StatusMethodNotAllowed, "test.Upload": http.StatusMethodNotAllowed} {
		res, err := http1Client(t).Get(url + "/" + service + "/Call?encoding=json&message=%22x%22")
		if err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); res.StatusCode != want {
			t.Errorf("%s: %s", service, res.Status)
		}
	}
}
