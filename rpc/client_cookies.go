package rpc

import (
	"net/http"
	"net/url"
	"slices"
)

// sessionJar is a client's jar, which may be nil, for a link that resumes a session. A
// load balancer has set a cookie with the session's first answer, which names the server
// that has it. The cookie of another session, which the client has begun since, must
// not replace it.
type sessionJar struct {
	jar http.CookieJar
	own []*http.Cookie
}

func (j sessionJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	if j.jar != nil {
		j.jar.SetCookies(u, cookies)
	}
}

// Cookies returns those of the session, and what else the jar has.
func (j sessionJar) Cookies(u *url.URL) []*http.Cookie {
	cookies := slices.Clone(j.own)
	if j.jar == nil {
		return cookies
	}
	for _, c := range j.jar.Cookies(u) {
		if !slices.ContainsFunc(j.own, func(own *http.Cookie) bool { return own.Name == c.Name }) {
			cookies = append(cookies, c)
		}
	}
	return cookies
}

// cookiesOf returns what the answer to a handshake has set.
func cookiesOf(header http.Header) (cookies []*http.Cookie) {
	for _, c := range (&http.Response{Header: header}).Cookies() {
		if c.MaxAge >= 0 { // else it takes one away
			cookies = append(cookies, &http.Cookie{Name: c.Name, Value: c.Value, Quoted: c.Quoted})
		}
	}
	return cookies
}
