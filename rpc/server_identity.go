package rpc

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"net/http"
	"slices"
	"strings"
)

// WithSessionHeaders names headers of the handshake that identify the client,
// in addition to Authorization and Cookie: those that middleware or a proxy
// uses, such as an API key, and those that are forwarded. If no principal is
// named, only a handshake with the same values can resume a connection.
//
// A header that differs in each handshake, such as a trace ID, prevents
// resumption.
func WithSessionHeaders(names ...string) ServerOption {
	return serverOption(func(s *Server) {
		for _, name := range names {
			name = http.CanonicalHeaderKey(name)
			if name != "Cookie" && name != "Authorization" { // which have rules of their own
				s.binding.headers = append(s.binding.headers, name)
			}
		}
	})
}

// WithSessionCookies names the cookies that identify the client. If no
// principal is named, only a handshake with the same values of those cookies
// that the first one had can resume a connection. Other cookies may change.
//
// By default all cookies identify the client, except the well-known ones of
// load balancers and Google Analytics, which change while a page is open
// (docs/deploy.md lists them). Name your login cookie if other cookies change
// too. Without names, no cookie identifies the client.
func WithSessionCookies(names ...string) ServerOption {
	return serverOption(func(s *Server) {
		if s.binding.cookies == nil {
			s.binding.cookies = make(map[string]struct{})
		}
		for _, name := range names {
			s.binding.cookies[name] = struct{}{}
		}
	})
}

// WithSessionUser registers f to name the user of a handshake if no principal
// is named, by data that this server does not verify, such as a claim of a
// token that other servers verify with each call. Then handshakes with the same
// name can resume a connection, whatever else they contain. If f returns "",
// the default rules apply.
//
// The name separates the sessions of different users, but proves nothing: a
// client that has the secret token of a session can claim any name. Principal
// does not return it.
func WithSessionUser(f func(r *http.Request) string) ServerOption {
	return serverOption(func(s *Server) { s.binding.user = f })
}

// binding is the part of a handshake that identifies the client if no principal
// does.
type binding struct {
	headers []string            // in addition to Authorization, in canonical form
	cookies map[string]struct{} // nil: all except ignoredCookies
	user    func(*http.Request) string
}

// ignoredCookies are prefixes of cookies that do not identify the user: those
// of load balancers, firewalls and visitor counters.
var ignoredCookies = []string{
	"parley=", // docs/deploy.md
	"SERVERID=", "route=", "lb=", "INGRESSCOOKIE=", "GCLB=",
	"AWSALB", "AWSELB", "ARRAffinity", "BIGipServer", "__cf_bm=", "__cflb=",
	"_ga=", "_ga_", "_gid=",
}

// counts reports whether a cookie, "name=value", identifies the client.
func (b *binding) counts(pair string) bool {
	if b.cookies != nil {
		name, _, _ := strings.Cut(pair, "=")
		_, named := b.cookies[name]
		return named
	}
	return pair != "" && !slices.ContainsFunc(ignoredCookies, func(s string) bool { return strings.HasPrefix(pair, s) })
}

// An identity is what a session of a server is bound to, as one string: the
// principal or, if none is named, the user of WithSessionUser, or a keyed hash
// of the identifying parts of the handshake, followed by the sorted hashes of
// cookies. The first byte is the kind.
const (
	namedIdentity   = 'n'
	claimedIdentity = 'c'
	hashedIdentity  = 'h'
)

const (
	cookieHash = 16 // bytes of the hash of a cookie
	maxCookies = 64 // hashed individually; more are hashed as one list
)

// identityKey prevents guessing what an identity contains. All servers of the
// process share it, since they end each other's sessions (endPredecessor).
var identityKey = func() []byte {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return key
}()

// identity returns what the session of a handshake is bound to.
func (b *binding) identity(r *http.Request, principal string) string {
	if principal != "" {
		return string(namedIdentity) + principal
	}
	if b.user != nil {
		if name := b.user(r); name != "" {
			return string(claimedIdentity) + name
		}
	}
	cookies := b.hashCookies(r.Header["Cookie"])
	many := len(cookies) > maxCookies

	h := hmac.New(sha256.New, identityKey)
	writeValues(h, r.URL.RawQuery)
	writeValues(h, r.Header["Authorization"]...)
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		writeValues(h, string(r.TLS.PeerCertificates[0].Raw))
	} else {
		writeValues(h)
	}
	for _, name := range b.headers {
		writeValues(h, r.Header[name]...)
	}
	if many {
		for _, c := range cookies {
			_, _ = h.Write(c[:])
		}
		cookies = nil
	}
	id := append(make([]byte, 0, 1+sha256.Size+len(cookies)*cookieHash), hashedIdentity)
	id = h.Sum(id)
	for _, c := range cookies {
		id = append(id, c[:]...)
	}
	return string(id)
}

// writeValues writes values so that different lists never produce the same
// bytes.
func writeValues(h hash.Hash, values ...string) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(values)))
	_, _ = h.Write(n[:]) // never fails
	for _, v := range values {
		binary.BigEndian.PutUint64(n[:], uint64(len(v)))
		_, _ = h.Write(n[:])
		_, _ = h.Write([]byte(v))
	}
}

// hashCookies returns the sorted, distinct hashes of the cookies that count. It
// includes cookies that http.Request.Cookies drops as malformed.
func (b *binding) hashCookies(headers []string) (hashes [][cookieHash]byte) {
	h := hmac.New(sha256.New, identityKey)
	for _, header := range headers {
		for pair := range strings.SplitSeq(header, ";") {
			if pair = strings.TrimSpace(pair); !b.counts(pair) {
				continue
			}
			h.Reset()
			writeValues(h, "cookie", pair)
			var sum [sha256.Size]byte
			hashes = append(hashes, [cookieHash]byte(h.Sum(sum[:0])))
		}
	}
	slices.SortFunc(hashes, func(a, b [cookieHash]byte) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(hashes)
}

// sameIdentity reports whether a link with one identity may resume a session
// that began with another. Load balancers set cookies in the first response, so
// the link may have additional cookies, but must have all those of the session.
func sameIdentity(began, resuming string) bool {
	const exact = 1 + sha256.Size
	if len(began) < exact || len(resuming) < exact || began[0] != hashedIdentity || resuming[0] != hashedIdentity {
		return equalSecrets(began, resuming)
	}
	if !equalSecrets(began[:exact], resuming[:exact]) {
		return false
	}
	want, have := began[exact:], resuming[exact:]
	for len(want) > 0 {
		if len(have) < len(want) {
			return false
		}
		if equalSecrets(want[:cookieHash], have[:cookieHash]) {
			want = want[cookieHash:]
		}
		have = have[cookieHash:]
	}
	return true
}

func equalSecrets(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
