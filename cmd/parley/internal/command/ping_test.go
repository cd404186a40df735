package command_test

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/rpc"
)

func TestPingPrintsRoundTripTimes(t *testing.T) {
	url := endpoint(t, rpc.NewServer())
	run(t, "ping", url, "-n", "2", "--interval", "1ms").want(t,
		"connected to URL (N.N:N) in N ms: parley.vN, no TLS\nN: N ms\nN: N ms\nmin N ms, avg N ms, max N ms\n")

	r := run(t, "ping", url, "-n", "3", "--interval", "0", "-o", "json")
	var got struct {
		URL, Address, Protocol         string
		ConnectMs, MinMs, AvgMs, MaxMs float64
		RTTMs                          []float64
	}
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || r.exit != 0 {
		t.Fatalf("%v: %s", err, r.out)
	}
	if got.URL != url || got.Protocol != "parley.v1" || len(got.RTTMs) != 3 || got.MinMs <= 0 || got.MinMs > got.AvgMs || got.AvgMs > got.MaxMs {
		t.Errorf("got %+v", got)
	}
}

// answering answers each request with a status and a header.
func answering(status int, header ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
	})
}

// acceptKey answers the key of a handshake (RFC 6455, section 4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// upgrade answers a handshake and selects a subprotocol, whatever was offered.
func upgrade(t *testing.T, w http.ResponseWriter, r *http.Request, subprotocol string) net.Conn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: "+acceptKey(r.Header.Get("Sec-WebSocket-Key"))+
		"\r\nSec-WebSocket-Protocol: "+subprotocol+"\r\n\r\n") // fails if the client has disconnected
	return conn
}

// otherWebSocket upgrades to a subprotocol that is not parley's.
func otherWebSocket(t *testing.T) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { upgrade(t, w, r, "graphql-ws").Close() })
}

func TestPingSaysWhyAnAnswerIsNone(t *testing.T) {
	for _, c := range []struct {
		name    string
		handler http.Handler
		says    string
	}{
		{"200", answering(200), "there is a web server, but no endpoint at the path /some/path (HTTP 200 OK): check the path, often it is /rpc"},
		{"404", answering(404), "there is no WebSocket endpoint at the path /some/path (HTTP 404 Not Found): check the path"},
		{"401", answering(401), "the server requires credentials (HTTP 401 Unauthorized): give a token with --bearer"},
		{"403", answering(403), "the server refuses this client (HTTP 403 Forbidden): other credentials (--bearer)"},
		{"302", answering(302, "Location", "https://elsewhere.example/rpc"), "to https://elsewhere.example/rpc: dial that URL"},
		{"503", answering(503), "the server or a proxy cannot serve now (HTTP 503 Service Unavailable)"},
		{"another subprotocol", otherWebSocket(t), "the WebSocket server does not speak Parley: the server chose the subprotocol graphql-ws"},
		{"another version", answering(400, "Parley-Versions", "parley.v7"), "the server speaks parley.v7, this program parley.v1: update the older one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, "ping", web(t, c.handler)+"/some/path").wantFailure(t, 3, c.says)
		})
	}
}

// TestPingDoesNotWaitForPongForever has a server that answers the handshake
// and then sends nothing.
func TestPingDoesNotWaitForPongForever(t *testing.T) {
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	silent := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn := upgrade(t, w, r, "parley.v1")
		defer conn.Close()
		<-over
	})
	run(t, "ping", web(t, silent), "--connect-timeout", "500ms").wantFailure(t, 3, "no PONG")
}

func TestTheVersionSaysWhatIsSpoken(t *testing.T) {
	if r := run(t, "--version"); r.exit != 0 || !strings.HasPrefix(r.out, "parley ") || !strings.HasSuffix(r.out, ", speaks parley.v1\n") {
		t.Errorf("%q %s", r.out, r.err)
	}
}

func TestPingSaysWhatIsWrongWithTheNetwork(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	silent := l.Addr().String() // accepted by the kernel only
	t.Cleanup(func() { l.Close() })
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	run(t, "ping", "ws://"+gone.Addr().String()+"/rpc").wantFailure(t, 3, "no server listens at "+gone.Addr().String()+" (connection refused): check the port, and that the server is running")
	// The program asks no resolver for this name.
	run(t, "ping", "ws://nowhere..invalid/rpc").wantFailure(t, 3, "there is no host nowhere..invalid (DNS): check its name")
	run(t, "ping", "ws://"+silent+"/rpc", "--connect-timeout", "200ms").wantFailure(t, 3, silent+" accepts connections but does not answer the handshake (timeout)")
	run(t, "ping", "wss://"+silent+"/rpc", "--connect-timeout", "200ms").wantFailure(t, 3, silent+" does not answer in TLS (timeout)")
}

func TestPingSaysWhatIsWrongWithTLS(t *testing.T) {
	srv := rpc.NewServer()
	secure := httptest.NewUnstartedServer(srv)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it logs errors of clients
	secure.StartTLS()
	t.Cleanup(func() {
		srv.Close()
		secure.Close()
	})
	wss := "wss" + strings.TrimPrefix(secure.URL, "https")
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}

	run(t, "ping", wss).wantFailure(t, 3, "signed by an unknown authority: give the authority's certificate with --ca FILE")
	run(t, "ping", wss, "--ca", ca, "--server-name", "other.test").wantFailure(t, 3, "the server's certificate is not for the name other.test but for example.com, *.example.com, 127.0.0.1, ::1")
	run(t, "ping", "ws"+strings.TrimPrefix(wss, "wss")).wantFailure(t, 3, "the server speaks TLS there: write wss:// instead of ws://")
	run(t, "ping", "wss"+strings.TrimPrefix(endpoint(t, rpc.NewServer()), "ws")).wantFailure(t, 3, "the server does not speak TLS there: write ws:// instead of wss://")
	for _, args := range [][]string{{"--ca", ca}, {"--insecure"}} {
		run(t, append([]string{"ping", wss, "-n", "1"}, args...)...).want(t,
			"connected to URL (N.N:N) in N ms: parley.vN, TLS N\nN: N ms\nmin N ms, avg N ms, max N ms\n")
	}
}

func TestCredentialsAreShownInTheHandshake(t *testing.T) {
	srv := rpc.NewServer(rpc.WithLogger(slog.New(slog.DiscardHandler)), rpc.WithAuthentication(func(r *http.Request) (ctx context.Context, err error) {
		if r.Header.Get("Authorization") != "Bearer secret" || r.Header.Get("X-More") != "1" {
			return nil, rpc.Errorf(rpc.CodeUnauthenticated, "who are you?")
		}
		return r.Context(), nil
	}))
	url := endpoint(t, srv)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bearer := range []string{"secret", "@" + token} {
		if r := run(t, "ping", url, "-n", "1", "--bearer", bearer, "--http-header", "x-more: 1"); r.exit != 0 {
			t.Errorf("%s", r.err)
		}
	}
	run(t, "ping", url, "--bearer", "other").wantFailure(t, 3, "the server requires credentials (HTTP 401 Unauthorized)")
	run(t, "ping", url, "--bearer", "@/no/such/file").wantFailure(t, 2, "--bearer: open /no/such/file")
	run(t, "ping", url, "--http-header", "nonsense").wantFailure(t, 2, "write it as 'key: value'")
}

func TestCommandsThatMakeNoSenseAreRefused(t *testing.T) {
	for says, args := range map[string][]string{
		`"localhost:8080/rpc" is not a URL: write ws://localhost:8080/rpc, or wss:// with TLS`: {"ping", "localhost:8080/rpc"},
		`unknown command "pong"`:                          {"pong"},
		"unknown flag: --loud: see parley ping --help":    {"ping", "ws://x", "--loud"},
		"0 arguments instead of 1: write parley ping URL": {"ping"},
		"-o yaml: use text or json":                       {"ping", "ws://x", "-o", "yaml"},
		"--cert and --key go together":                    {"ping", "ws://x", "--cert", "x"},
		"there is no certificate (PEM) in main_test.go":   {"ping", "wss://x", "--ca", "main_test.go"},
		"-n must be at least 1":                           {"ping", "ws://x", "-n", "0"},
		"--connect-timeout 0s: it must be positive":       {"ping", "ws://x", "--connect-timeout", "0"},
		`ftp://x`: {"ping", "ftp://x"},
	} {
		run(t, args...).wantFailure(t, 2, says)
	}
}

func TestScriptsGetErrorsTheyCanRead(t *testing.T) {
	r := run(t, "ping", web(t, answering(404))+"/x", "-o", "json")
	var got struct {
		Error struct {
			Exit    int
			Message string
		}
	}
	if err := json.Unmarshal([]byte(r.err), &got); err != nil || got.Error.Exit != 3 || r.exit != 3 || r.out != "" ||
		!strings.Contains(got.Error.Message, "HTTP 404") {
		t.Errorf("%v: %q %q", err, r.out, r.err)
	}
}
