package ws

import (
	"fmt"
	"net/http"
	"strings"
)

// refusal is the answer to a request that is not upgraded, and the error that
// Upgrade returns.
type refusal struct {
	status int
	text   string
	header map[string]string
}

func (f *refusal) Error() string {
	return fmt.Sprintf("ws: upgrade refused with HTTP %d: %s", f.status, f.text)
}

func (f *refusal) answer(w http.ResponseWriter) {
	for key, value := range f.header {
		w.Header().Set(key, value)
	}
	http.Error(w, f.text, f.status)
}

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, text: fmt.Sprintf(format, args...)}
}

// with adds a header to the answer.
func (f *refusal) with(key, value string) *refusal {
	if f.header == nil {
		f.header = make(map[string]string)
	}
	f.header[key] = value
	return f
}

// checkRequest checks the client's side of the handshake (RFC 6455, section
// 4.2.1), in the order in which a person would want to hear what is wrong.
func checkRequest(r *http.Request) *refusal {
	key := r.Header.Values("Sec-WebSocket-Key")
	version := r.Header.Values("Sec-WebSocket-Version")
	switch {
	case r.ProtoMajor > 1:
		return refuse(http.StatusHTTPVersionNotSupported,
			"This is a WebSocket endpoint. It takes HTTP/1.1 only, and this request came over %s.", r.Proto)
	case !r.ProtoAtLeast(1, 1):
		return refuse(http.StatusHTTPVersionNotSupported, "A WebSocket handshake needs HTTP/1.1; this request is %s.", r.Proto)
	case r.Method != http.MethodGet:
		return refuse(http.StatusMethodNotAllowed, "A WebSocket handshake is a GET, not a %.20q.", r.Method).
			with("Allow", http.MethodGet)
	case r.ContentLength != 0: // it would be read as frames
		return refuse(http.StatusBadRequest, "A WebSocket handshake has no body.")
	case !hasToken(r.Header.Values("Upgrade"), "websocket"):
		return upgradeRequired("This is a WebSocket endpoint. The request has no \"Upgrade: websocket\".")
	case !hasToken(r.Header.Values("Connection"), "upgrade"):
		return upgradeRequired("The request has no \"Connection: Upgrade\". A proxy before this server may have removed it.")
	case len(version) != 1 || strings.TrimSpace(version[0]) != "13":
		return upgradeRequired("This server speaks version 13 of the WebSocket protocol (RFC 6455); Sec-WebSocket-Version has to say so, once.").
			with("Sec-WebSocket-Version", "13")
	case len(key) != 1 || !isKey(key[0]):
		return refuse(http.StatusBadRequest, "Sec-WebSocket-Key has to be there once, with 16 bytes in base64.")
	}
	return nil
}

func upgradeRequired(text string) *refusal {
	return refuse(http.StatusUpgradeRequired, "%s", text).with("Upgrade", "websocket").with("Connection", "Upgrade")
}

// hasToken tells whether a comma-separated header has a token, in any case.
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(element, " \t"), token) {
				return true
			}
		}
	}
	return false
}
