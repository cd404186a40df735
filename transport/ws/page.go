package ws

import "net/http"

// answerPage lets a script read the response to a plain GET. A browser does not
// tell a script why its WebSocket was refused, so the script asks like this
// (PROTOCOL.md, section "The subprotocol").
//
// The script learns that there is a Parley server at a URL that it knows, which
// versions the server speaks, and that it refuses the page's origin.
func (u *Upgrader) answerPage(r *http.Request, answer *refusal) *refusal {
	versions := list(withoutBearers(subprotocolsOrDefault(u.Subprotocols)))
	if r.Header["Origin"] == nil {
		// A page of the server's own origin does not say that it is one, but
		// its browser does.
		if refused := u.checkHost(r); refused != nil && r.Header["Sec-Fetch-Site"] != nil {
			answer = refused
		}
		return answer.with(versionsHeader, versions)
	}
	readers := r.Header.Get("Origin")
	if refused := u.checkOrigin(r); refused != nil {
		answer, readers = refused, "*"
	}
	return answer.with(versionsHeader, versions).with("Access-Control-Allow-Origin", readers).
		with("Access-Control-Expose-Headers", versionsHeader).with("Vary", "Origin")
}
