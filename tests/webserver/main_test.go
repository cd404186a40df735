package main

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServerEndsWithItsParent(t *testing.T) {
	in, parent := io.Pipe()
	out, said := io.Pipe()
	done := make(chan error)
	go func() { done <- run(nil, in, said) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	addr := strings.TrimSpace(line)
	client := rpc.NewClient("ws://" + addr + "/rpc")
	ping := pingv1parley.NewPingServiceClient(client)
	for _, text := range []string{"before", "after"} {
		res, err := ping.Ping(t.Context(), &pingv1.PingRequest{Text: text}, rpc.WithWaitForReady())
		if err != nil || res.Text != text {
			t.Fatalf("%v, %v", res, err)
		}
		drained, err := http.Post("http://"+addr+"/drain", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		drained.Body.Close()
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
	parent.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
