package ws

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Subprotocol names version 1 of Parley in the handshake.
const Subprotocol = "parley.v1"

// newSession is a token that a dialer offers in addition to Subprotocol. It
// says that the link starts a session. It is never chosen.
const newSession = "parley.new"

// MayResume reports whether a request is a handshake whose link may resume a
// session: it does not say that it starts one.
func MayResume(r *http.Request) bool {
	tokens, err := offered(r)
	return err == nil && len(tokens) > 0 && !slices.Contains(tokens, newSession)
}

// versionsHeader is the header of a refusal that lists the subprotocols that
// the server speaks.
const versionsHeader = "Parley-Versions"

// withoutBearers returns the tokens that may be chosen and shown.
func withoutBearers(tokens []string) []string {
	return slices.DeleteFunc(slices.Clone(tokens), isBearer)
}

// offered returns the tokens that r offers, in its order of preference and with
// credentials. It fails if they are not a list of tokens.
func offered(r *http.Request) ([]string, error) {
	var tokens []string
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for token := range strings.SplitSeq(line, ",") {
			token = strings.Trim(token, " \t")
			switch {
			case token == "": // RFC 9110, section 5.6.1: empty elements are skipped
			case !isToken(token):
				return nil, fmt.Errorf("element %d of the list is not a token", len(tokens)+1)
			default:
				tokens = append(tokens, token)
			}
		}
	}
	return tokens, nil
}

// choose returns the first of spoken that is offered, or "".
func choose(spoken, offered []string) string {
	for _, p := range spoken {
		if slices.Contains(offered, p) {
			return p
		}
	}
	return ""
}

// subprotocolsOrDefault returns protocols, or the default if there are none.
func subprotocolsOrDefault(protocols []string) []string {
	if len(protocols) == 0 {
		return []string{Subprotocol}
	}
	return protocols
}

// checkSubprotocols checks the field Subprotocols: tokens, each of them once.
func checkSubprotocols(protocols []string) error {
	for i, p := range protocols {
		if !isToken(p) {
			if isBearer(p) {
				p = bearerPrefix + "..."
			}
			return fmt.Errorf("Subprotocols[%d]: %q is not a token", i, p)
		}
		if slices.Contains(protocols[:i], p) {
			return fmt.Errorf("Subprotocols[%d] is there twice", i)
		}
	}
	return nil
}

// isToken reports whether s is a token (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	const marks = "!#$%&'*+-.^_`|~"
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte(marks, c) < 0 {
			return false
		}
	}
	return s != ""
}

// list returns a list of tokens for a text, as many as fit into a line.
func list(tokens []string) string {
	const room = 200
	var b strings.Builder
	for i, token := range tokens {
		if b.Len()+len(token) > room {
			fmt.Fprintf(&b, " and %d more", len(tokens)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(token)
	}
	return b.String()
}
