package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs the program until the end of the test, and returns the line that
// it has printed.
func start(t *testing.T, args ...string) hello {
	t.Helper()
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(args, inRead, outWrite, io.Discard)
		done <- errors.Join(err, outWrite.CloseWithError(err))
	}()
	t.Cleanup(func() {
		_ = inWrite.Close()
		if err := <-done; err != nil {
			t.Errorf("the server has ended with %v", err)
		}
	})
	var h hello
	if err := json.NewDecoder(outRead).Decode(&h); err != nil {
		t.Fatal(err)
	}
	return h
}

// browser is an HTTP client that speaks these protocols and trusts any
// certificate.
func browser(t *testing.T, protocols *http.Protocols) *http.Client {
	t.Helper()
	web := &http.Transport{Protocols: protocols, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(web.CloseIdleConnections)
	return &http.Client{Transport: web}
}

func http1() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	return p
}

func http1And2() *http.Protocols {
	p := http1()
	p.SetHTTP2(true)
	return p
}

func TestConnectIsServedByHTTP1AndWithTLSByHTTP2(t *testing.T) {
	h := start(t)
	body, err := proto.Marshal(&benchv1.EchoRequest{Payload: []byte("hello")})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ url, proto string }{{h.Plain, "HTTP/1.1"}, {h.TLS, "HTTP/2.0"}} {
		res, err := browser(t, http1And2()).Post(c.url+"/bench.v1.BenchService/Echo", "application/proto", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		// The two messages have the same form.
		if err != nil || res.StatusCode != http.StatusOK || res.Proto != c.proto || !bytes.Equal(text, body) {
			t.Errorf("%s: %s %s %q, %v", c.url, res.Proto, res.Status, text, err)
		}
	}
}

func TestParleyIsServedAtBothAddresses(t *testing.T) {
	h := start(t)
	for _, url := range []string{h.Plain, h.TLS} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/rpc", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Origin": url,
			"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "parley.v1",
		} {
			req.Header.Set(key, value)
		}
		res, err := browser(t, http1()).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Sec-WebSocket-Protocol") != "parley.v1" {
			t.Errorf("%s: %s, %q", url, res.Status, res.Header)
		}
	}
}

func TestPageIsServedFromItsFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "page.js"), []byte("page"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want int
	}{{[]string{"-site", dir}, http.StatusOK}, {nil, http.StatusNotFound}} {
		res, err := browser(t, http1()).Get(start(t, c.args...).Plain + "/page.js")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != c.want {
			t.Errorf("with %q the page is answered with %s", c.args, res.Status)
		}
	}
}

func TestVersionsAreSaid(t *testing.T) {
	h := start(t)
	if !strings.HasPrefix(h.Go, "go1.") {
		t.Errorf("Go is %q", h.Go)
	}
}

func TestUnknownFlagsAreRefused(t *testing.T) {
	if err := run([]string{"-nothing"}, http.NoBody, io.Discard, io.Discard); err == nil {
		t.Error("a flag that there is not was accepted")
	}
}

func TestServerThatCannotSayWhereItIsEnds(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	if err := run(nil, http.NoBody, w, io.Discard); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the error is %v", err)
	}
}
