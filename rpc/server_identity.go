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

// WithSessionHeaders names headers of the handshake that say who the client is, beside
// Authorization and Cookie: those that middleware or a proxy goes by, such as an API key,
// and those that are passed on to others. Where no principal is named, a connection is
// resumed only by a handshake with the same values.
//
// A header that differs with each handshake, such as the id of a trace, ends resumption.
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

// WithSessionCookies names the cookies that say who the client is. Where no principal is
// named, a connection is resumed only by a handshake that has those of them that the first
// one had, with the same values. Other cookies may change.
//
// By default all cookies count but those by which load balancers and Google Analytics are
// known to keep their own books: they change while a page is open (docs/deploy.md has their
// names). Name the cookie of your login where others change too. Without names no cookie
// counts.
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

// WithSessionUser has f name the user of a handshake where no principal is named, by what
// is not verified here, such as a claim of a token that other servers verify with each
// call. Then a connection is resumed by handshakes of the same name, whatever else they
// say; where f returns "", by those that say the same.
//
// The name keeps the sessions of different users apart, and proves nothing: a client that has
// the secret token of a session can claim any name. Principal does not return it.
func WithSessionUser(f func(r *http.Request) string) ServerOption {
	return serverOption(func(s *Server) { s.binding.user = f })
}

// binding is what of a handshake says who the client is, where no principal does.
type binding struct {
	headers []string            // beside Authorization, in canonical form
	cookies map[string]struct{} // nil: all but those of strangers
	user    func(*http.Request) string
}

// strangers are beginnings of the names of cookies that say nothing of the user: which
// server a load balancer has chosen, whether a firewall takes her for a robot, how often
// she has been here.
var ignoredCookies = []string{
	"parley=", // docs/deploy.md
	"SERVERID=", "route=", "lb=", "INGRESSCOOKIE=", "GCLB=",
	"AWSALB", "AWSELB", "ARRAffinity", "BIGipServer", "__cf_bm=", "__cflb=",
	"_ga=", "_ga_", "_gid=",
}

// counts reports whether a cookie, "name=value", says who the client is.
func (b *binding) counts(pair string) bool {
	if b.cookies != nil {
		name, _, _ := strings.Cut(pair, "=")
		_, named := b.cookies[name]
		return named
	}
	return pair != "" && !slices.ContainsFunc(ignoredCookies, func(s string) bool { return strings.HasPrefix(pair, s) })
}

// An identity is what a session of a server is bound to, in one string: the principal, or,
// where none is named, the user of WithSessionUser, or a keyed hash of what identifies the
// handshake. That goes on with the hashes of cookies, in order. The first byte tells the
// three apart.
const (
	namedIdentity   = 'n'
	claimedIdentity = 'c'
	hashedIdentity  = 'h'
)

const (
	cookieHash = 16 // bytes of the hash of a cookie
	maxCookies = 64 // that are hashed one by one; of more the whole list counts
)

// identityKey keeps identities from being guessed where one is seen. All servers of the
// process have the same, as they end each other's sessions (endReplaced).
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

// writeValues writes values so that no others are written alike.
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

// hashCookies returns the hashes of the cookies that count, each once, in order. It takes
// them as they come: what http.Request.Cookies drops as malformed counts too.
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

// sameIdentity reports whether a link with one identity may resume a session that began
// with another. Load balancers set cookies with the first answer, so a link may have more
// of them than the session began with, but none less.
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
