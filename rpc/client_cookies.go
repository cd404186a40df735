package rpc

import (
	"net/http"
	"net/url"
	"slices"
)

// sessionJar is the cookie jar for a link that resumes a session. A load
// balancer may have set a cookie in the session's first response, which names
// the server that has it. The cookie of a newer session must not replace it.
// The client's own jar may be nil.
type sessionJar struct {
	jar http.CookieJar
	own []*http.Cookie
}

func (j sessionJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	if j.jar != nil {
		j.jar.SetCookies(u, cookies)
	}
}

// Cookies returns the cookies of the session, and others from the client's jar.
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

// cookiesOf returns the cookies that the response to a handshake has set.
func cookiesOf(header http.Header) (cookies []*http.Cookie) {
	for _, c := range (&http.Response{Header: header}).Cookies() {
		if c.MaxAge >= 0 { // otherwise it deletes one
			cookies = append(cookies, &http.Cookie{Name: c.Name, Value: c.Value, Quoted: c.Quoted})
		}
	}
	return cookies
}
