package ws_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/transport/ws"
)

// handshakeVector is a case of docs/spec/vectors/handshake.json.
type handshakeVector struct {
	Name              string
	Side              string
	Speaks            []string
	Offered           []string
	Authorization     string
	Host, Origin      string
	ForwardedProto    string `json:"forwarded_proto"`
	Status            int
	Selected          string
	Versions          string
	SeesAuthorization string `json:"sees_authorization"`
	Outcome           string
	Code              int
	Rule              string
}

func handshakeVectors(t *testing.T, side string) (vectors []handshakeVector) {
	t.Helper()
	b, err := os.ReadFile("../../docs/spec/vectors/handshake.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []handshakeVector
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		if v.Side == side {
			vectors = append(vectors, v)
		}
	}
	if len(vectors) == 0 {
		t.Fatalf("no vectors for the %s", side)
	}
	return vectors
}

func TestAcceptorAnswersTheHandshakesOfTheSpecification(t *testing.T) {
	for _, v := range handshakeVectors(t, "acceptor") {
		t.Run(v.Name, func(t *testing.T) {
			seen := make(chan http.Header, 1)
			u := &ws.Upgrader{Subprotocols: v.Speaks, Hosts: []string{"*"}, Admit: func(r *http.Request) *ws.RefusalError {
				seen <- r.Header
				return nil
			}}
			url, accepted := serve(t, u)
			p := rawDial(t, url)
			var lines []string
			for _, line := range v.Offered {
				lines = append(lines, "Sec-WebSocket-Protocol: "+line)
			}
			if lines == nil {
				lines = []string{"Sec-WebSocket-Protocol:"}
			}
			edits := []string{strings.Join(lines, "\r\n")}
			if v.Authorization != "" {
				edits = append(edits, "Authorization: "+v.Authorization)
			}
			if v.Origin != "" {
				edits = append(edits, "Host: "+v.Host, "Origin: "+v.Origin)
			}
			if v.ForwardedProto != "" {
				edits = append(edits, "X-Forwarded-Proto: "+v.ForwardedProto)
			}
			p.send(handshakeRequest(edits...))
			resp := p.response()
			if resp.StatusCode != v.Status || resp.Header.Get("Sec-WebSocket-Protocol") != v.Selected {
				t.Fatalf("%s, selected %q; want %d, %q", resp.Status, resp.Header.Get("Sec-WebSocket-Protocol"), v.Status, v.Selected)
			}
			if got := resp.Header.Get("Parley-Versions"); got != v.Versions {
				t.Errorf("Parley-Versions %q, want %q", got, v.Versions)
			}
			if v.Status != http.StatusSwitchingProtocols {
				return
			}
			accept(t, accepted)
			header := <-seen
			if got := header.Get("Authorization"); got != v.SeesAuthorization {
				t.Errorf("the application sees %q, want %q", got, v.SeesAuthorization)
			}
			if offers := header.Values("Sec-WebSocket-Protocol"); strings.Contains(strings.Join(offers, ","), "bearer") {
				t.Errorf("the application sees the offers %q", offers)
			}
		})
	}
}

func TestMalformedCredentialIsNotShownInTheRefusal(t *testing.T) {
	url, _ := serve(t, &ws.Upgrader{})
	p := rawDial(t, url)
	p.send(handshakeRequest("Sec-WebSocket-Protocol: parley.v1, parley.bearer.s3cr3t~"))
	resp := p.response()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusBadRequest || strings.Contains(string(body), "s3cr3t") {
		t.Errorf("%s: %q, %v", resp.Status, body, err)
	}
}

func TestRefusedClientGetsAnHTTPStatus(t *testing.T) {
	no := &ws.RefusalError{Status: 429, Code: 4014, Reason: "too many", Header: http.Header{"Retry-After": {"7"}}}
	url, _ := serve(t, &ws.Upgrader{Admit: func(*http.Request) *ws.RefusalError { return no }})
	_, err := new(ws.Dialer).Dial(t.Context(), url)
	var failed *ws.HandshakeError
	if !errors.As(err, &failed) || failed.Status != 429 || failed.Header.Get("Retry-After") != "7" || failed.Body != "too many\n" {
		t.Errorf("got %v: %+v", err, failed)
	}
}

func TestRefusedPageGetsACloseCode(t *testing.T) {
	no := &ws.RefusalError{Status: 401, Code: 4016, Reason: "who are you?"}
	url, _ := serve(t, &ws.Upgrader{Origins: []string{"https://page.test"}, Admit: func(*http.Request) *ws.RefusalError { return no }})
	p := rawDial(t, url)
	p.send(handshakeRequest("Origin: https://page.test"))
	if resp := p.response(); resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp.Status)
	}
	if reason := p.wantCloseFrame(4016); reason != "who are you?" {
		t.Errorf("reason %q", reason)
	}
}

func TestPageOfAnotherOriginIsNotAskedForCredentials(t *testing.T) {
	url, _ := serve(t, &ws.Upgrader{Admit: func(*http.Request) *ws.RefusalError {
		t.Error("it was asked")
		return nil
	}})
	p := rawDial(t, url)
	p.send(handshakeRequest("Origin: https://evil.test"))
	if resp := p.response(); resp.StatusCode != http.StatusForbidden {
		t.Error(resp.Status)
	}
}

func TestRefusalWithoutACodeIsAnHTTPStatusForPagesToo(t *testing.T) {
	no := &ws.RefusalError{Status: 404, Reason: "nothing here"}
	url, _ := serve(t, &ws.Upgrader{Origins: []string{"*"}, Admit: func(*http.Request) *ws.RefusalError { return no }})
	p := rawDial(t, url)
	p.send(handshakeRequest("Origin: https://page.test"))
	if resp := p.response(); resp.StatusCode != http.StatusNotFound {
		t.Error(resp.Status)
	}
}
