package rpc

import (
	"net/http"

	"github.com/parley-rpc/parley/transport/ws"
)

// standing is what a server knows of a client before it authenticates it.
type standing int

const (
	known   standing = iota // it has authenticated lately, or it may have a connection to resume
	claimed                 // it brings credentials, or the server asks for none
	bare                    // it brings none where the server asks for some
	standings
)

// stride is how far a turn moves a standing back behind the others: the shares are as
// 16 to 4 to 1.
func (s standing) stride() int { return 1 << (2 * s) }

// share returns the part of the turns, as a fraction, that a standing has beside others.
func (s standing) share() (of, all int) { return 16 / s.stride(), 16 + 4 + 1 }

// standing returns what is known of the client of a handshake.
func (s *Server) standing(r *http.Request, addr string) standing {
	credentials, brings := credentialsOf(r)
	switch {
	case Principal(r.Context()) != "", brings && s.recent.has(credentials...), ws.MayResume(r) && s.recent.has(addr):
		return known
	case s.authenticate == nil, brings:
		return claimed
	}
	return bare
}

// credentialsOf returns what a request may be authenticated by, and whether there is any
// of it.
func credentialsOf(r *http.Request) (all []string, brings bool) {
	all = append(all, r.Header.Get("Authorization"))
	all = append(all, r.Header["Cookie"]...)
	brings = len(all) > 1 || all[0] != ""
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		return append(all, string(r.TLS.PeerCertificates[0].Raw)), true
	}
	return all, brings
}
