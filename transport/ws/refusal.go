package ws

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/parley-rpc/parley/transport"
)

// RefusalError is the response to a handshake that is valid but refused, and
// the error that Upgrade then returns.
type RefusalError struct {
	// Status is the HTTP status, 400 or more.
	Status int
	// Code, if not 0, is for pages: a script cannot read an HTTP status, so a
	// request with an Origin is upgraded and the link closed with Code at once.
	Code transport.CloseCode
	// Reason is for people.
	Reason string
	// Header has further headers of the response, such as Retry-After.
	Header http.Header
}

func (f *RefusalError) Error() string {
	return fmt.Sprintf("ws: refused with HTTP %d, pages with code %d: %s", f.Status, f.Code, f.Reason)
}

// refuse refuses a handshake with refusal, and returns it.
func (u *Upgrader) refuse(w http.ResponseWriter, r *http.Request, subprotocol string, refusal *RefusalError) error {
	for name, values := range refusal.Header {
		w.Header()[name] = values
	}
	if refusal.Code == 0 || r.Header["Origin"] == nil {
		http.Error(w, refusal.Reason, refusal.Status)
		return refusal
	}
	c, err := u.upgrade(w, r, subprotocol)
	if err != nil {
		return err
	}
	_ = c.Close(refusal.Code, refusal.Reason) // it is refused whatever Close returns
	return refusal
}

// refusal is the response to a request that is not upgraded, and the error that
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

// with adds a header to the response.
func (f *refusal) with(key, value string) *refusal {
	if f.header == nil {
		f.header = make(map[string]string)
	}
	f.header[key] = value
	return f
}

// checkRequest checks the client's side of the handshake (RFC 6455, section
// 4.2.1). The first fault is the most helpful one for a person.
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

// hasToken reports whether a comma-separated header has a token, in any case.
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
