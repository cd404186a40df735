package ws

import (
	"net/http"
	"strings"
)

// proxyHeaders are the headers in which a proxy says where a request comes
// from. A page cannot set headers of a WebSocket's handshake, so each of them
// proves that there is a proxy.
var proxyHeaders = []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-Ip", "Forwarded", "Via"}

// isProxied reports whether a handshake came through a proxy that says so.
func isProxied(r *http.Request) bool {
	for _, name := range proxyHeaders {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	return false
}

// isForwardedTLS reports whether a proxy says that the browser uses TLS. Each
// proxy appends what it has seen, so the first element of a list counts: it is
// that of the proxy that the browser has reached. Traefik says "wss" for a
// WebSocket.
func isForwardedTLS(h http.Header) bool {
	first, _, _ := strings.Cut(h.Get("X-Forwarded-Proto"), ",")
	return isTLSScheme(first) || isTLSScheme(forwardedProto(h.Get("Forwarded")))
}

func isTLSScheme(s string) bool {
	s = strings.Trim(s, " \t")
	return strings.EqualFold(s, "https") || strings.EqualFold(s, "wss")
}

// forwardedProto returns the parameter proto of the first element of a
// Forwarded header (RFC 7239), or "".
func forwardedProto(value string) string {
	element, _ := cutUnquoted(value, ',')
	for rest := element; rest != ""; {
		var pair string
		pair, rest = cutUnquoted(rest, ';')
		name, v, _ := strings.Cut(pair, "=")
		if strings.EqualFold(strings.Trim(name, " \t"), "proto") {
			return strings.Trim(v, " \t\"")
		}
	}
	return ""
}

// cutUnquoted cuts s at the first separator that is not inside a quoted string.
func cutUnquoted(s string, separator byte) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case !quoted && c == separator:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}
