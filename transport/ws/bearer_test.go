package ws_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/parley-rpc/parley/transport/ws"
)

// TestMiddlewareSeesTheCredentialOfAScript as what the Upgrader admits is shown.
func TestMiddlewareSeesTheCredentialOfAScript(t *testing.T) {
	for name, c := range map[string]struct {
		header    http.Header
		want      string
		protocols string
		fails     bool
	}{
		"a script":     {http.Header{"Sec-Websocket-Protocol": {"parley.v1, parley.bearer.YWxpY2U"}}, "Bearer alice", "parley.v1", false},
		"a program":    {http.Header{"Authorization": {"Bearer bob"}, "Sec-Websocket-Protocol": {"parley.v1"}}, "Bearer bob", "parley.v1", false},
		"nobody":       {http.Header{}, "", "", false},
		"both":         {http.Header{"Authorization": {"Bearer bob"}, "Sec-Websocket-Protocol": {"parley.bearer.YWxpY2U"}}, "", "", true},
		"no base64url": {http.Header{"Sec-Websocket-Protocol": {"parley.bearer.a+b"}}, "", "", true},
		"no list":      {http.Header{"Sec-Websocket-Protocol": {"a b"}}, "", "", true},
	} {
		r := httptest.NewRequest(http.MethodGet, "/rpc", nil)
		r.Header = c.header
		shown, err := ws.Presented(r)
		if (err != nil) != c.fails {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		if a, p := shown.Header.Get("Authorization"), shown.Header.Get("Sec-WebSocket-Protocol"); a != c.want || p != c.protocols {
			t.Errorf("%s: %q, %q", name, a, p)
		}
	}
}
