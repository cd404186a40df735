package ws

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Stage is the part of a dial that failed.
type Stage string

// The stages of a dial, in order.
const (
	StageConfig  Stage = "config"  // the Dialer or the URL cannot be used; nothing was sent
	StageConnect Stage = "connect" // name lookup and TCP
	StageProxy   Stage = "proxy"   // the proxy did not let the connection through
	StageTLS     Stage = "tls"     // RFC 6455 calls it 1015
	StageUpgrade Stage = "upgrade" // the server did not upgrade the connection
)

// HandshakeError is the type of every error that Dial returns. Its text says in
// plain words what happened. It contains neither the user and the query of the
// URL nor a bearer token that was offered among the subprotocols.
type HandshakeError struct {
	URL   string // without user, query and fragment
	Stage Stage

	// The response of the server, or of the proxy in StageProxy. Status is 0
	// without a response. Body is at most the first 1024 bytes.
	Status int
	Header http.Header
	Body   string

	// RetryAfter is how long the server asks to wait before the next dial, by
	// the header Retry-After: in seconds, or until a date. 0 if it does not
	// ask.
	RetryAfter time.Duration

	OfferedSubprotocols []string // the subprotocols that this client offered
	ServerSubprotocols  []string // those that the server says it speaks, if it says so

	reason string
	err    error
}

func (e *HandshakeError) Error() string {
	text := "ws: dial"
	for _, part := range []string{e.URL, e.reason} {
		if part != "" {
			text += " " + part + ":"
		}
	}
	if e.err == nil {
		return strings.TrimSuffix(text, ":")
	}
	return text + " " + e.err.Error()
}

// Unwrap returns the cause, if there is one: an error of package net,
// crypto/tls or crypto/x509, the error of the context that ended the dial, or
// os.ErrDeadlineExceeded for HandshakeTimeout.
func (e *HandshakeError) Unwrap() error { return e.err }

// setAnswer sets the fields from the response of a server that did not upgrade.
func (e *HandshakeError) setAnswer(resp *http.Response, body string) {
	e.Status, e.Header, e.Body = resp.StatusCode, resp.Header, body
	e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	if versions := resp.Header.Get(versionsHeader); versions != "" {
		for v := range strings.SplitSeq(versions, ",") {
			e.ServerSubprotocols = append(e.ServerSubprotocols, printable(strings.TrimSpace(v), 100))
		}
	}
	e.reason = e.meaning()
	if said := firstLine(body, resp.Header); said != "" {
		e.reason += ": " + said
	}
}

// maxRetryAfter is the longest time that is taken from a Retry-After.
const maxRetryAfter = 24 * time.Hour

// retryAfter returns how long a Retry-After header asks to wait from now on
// (RFC 9110, section 10.2.3), 0 if it is malformed.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	var wait time.Duration
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.Atoi(value)
		if err != nil || seconds > int(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		wait = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(value); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// setProxyAnswer sets the fields from the response of a proxy that made no
// tunnel.
func (e *HandshakeError) setProxyAnswer(resp *http.Response, proxy, target, body string) {
	e.Status, e.Header, e.Body = resp.StatusCode, resp.Header, body
	e.reason = fmt.Sprintf("the proxy %s does not connect to %s (HTTP %d %s)",
		proxy, target, e.Status, http.StatusText(e.Status))
	if said := firstLine(body, resp.Header); said != "" {
		e.reason += ": " + said
	}
}

// meaning returns what the response means.
func (e *HandshakeError) meaning() string {
	status := fmt.Sprintf("HTTP %d %s", e.Status, http.StatusText(e.Status))
	status = strings.TrimSpace(status)
	switch {
	case e.Status == http.StatusSwitchingProtocols:
		return "not a WebSocket server: the headers of its response (" + status + ") do not fit the handshake"
	case e.ServerSubprotocols != nil:
		return fmt.Sprintf("no common version: the server speaks %s, this client %s (%s)",
			list(e.ServerSubprotocols), list(e.OfferedSubprotocols), status)
	case e.Status/100 == 3:
		return "redirected (" + status + ") to " + redirectTarget(e.Header) + ": dial that URL, redirects are not followed"
	case e.Status == http.StatusUnauthorized:
		return "the server requires valid credentials (" + status + ")"
	case e.Status == http.StatusForbidden:
		return "the server refuses this client or its origin (" + status + ")"
	case e.Status == http.StatusUpgradeRequired && e.Header.Get("Sec-Websocket-Version") != "":
		return "the server speaks another version of the WebSocket protocol: " +
			printable(e.Header.Get("Sec-Websocket-Version"), 40) + " (" + status + ")"
	case e.Status/100 == 2, e.Status == http.StatusNotFound, e.Status == http.StatusMethodNotAllowed,
		e.Status == http.StatusUpgradeRequired:
		return "not a WebSocket endpoint: check the URL (" + status + ")"
	case e.Status/100 == 5:
		return "the server or a proxy cannot serve now (" + status + ")"
	}
	return "the server refuses the handshake (" + status + ")"
}

func redirectTarget(h http.Header) string {
	u, err := url.Parse(h.Get("Location"))
	if err != nil || u.String() == "" {
		return "nowhere"
	}
	return printable(publicURL(u), 200)
}

// publicURL returns u without what may be secret.
func publicURL(u *url.URL) string {
	v := *u
	v.User, v.RawQuery, v.ForceQuery, v.Fragment, v.RawFragment = nil, "", false, "", ""
	if v.Opaque != "" {
		v.Opaque = "..." // of "user:password@host" it is the password
	}
	return v.String()
}

// firstLine returns the first line of a body that is plain text.
func firstLine(body string, h http.Header) string {
	if kind := h.Get("Content-Type"); kind != "" && !strings.HasPrefix(kind, "text/plain") {
		return ""
	}
	line, _, _ := strings.Cut(strings.TrimSpace(body), "\n")
	return printable(strings.TrimSpace(line), 300)
}

// printable returns the beginning of s, without characters that do not belong
// into a log.
func printable(s string, bytes int) string {
	if len(s) > bytes {
		s = s[:bytes] + "..."
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
