package grpcparley_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/proxy"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// TestAClientGoesThroughASOCKSProxy is in this module because package rpc does
// not depend on golang.org/x/net, and gRPC does.
func TestAClientGoesThroughASOCKSProxy(t *testing.T) {
	srv := rpc.NewServer()
	pingv1parley.RegisterPingServiceServer(srv, echoPing{})
	web := httptest.NewServer(srv)
	defer web.Close()
	defer srv.Close()
	socksAddr, asked := serveSOCKS(t, strings.TrimPrefix(web.URL, "http://"))

	client, err := throughSOCKS("ws://server.test/rpc", socksAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	res, err := pingv1parley.NewPingServiceClient(client).Ping(t.Context(), &pingv1.PingRequest{Text: "hello"})
	if err != nil || res.Text != "hello" {
		t.Fatalf("%v, %v", res, err)
	}
	if got := <-asked; got != "server.test:80" {
		t.Errorf("the proxy was asked for %s", got)
	}
}

func throughSOCKS(url, socksAddr string) (*rpc.Client, error) {
	//snippet:socks
	socks, err := proxy.SOCKS5("tcp", socksAddr, nil, proxy.Direct) // golang.org/x/net/proxy
	if err != nil {
		return nil, err
	}
	client := rpc.NewClient(url, rpc.WithNetDial(socks.(proxy.ContextDialer).DialContext))
	//snippet:end
	return client, nil
}

type echoPing struct {
	pingv1parley.UnimplementedPingServiceServer
}

func (echoPing) Ping(_ context.Context, req *pingv1.PingRequest) (*pingv1.PingResponse, error) {
	return &pingv1.PingResponse{Text: req.Text}, nil
}

// serveSOCKS is a SOCKS5 proxy (RFC 1928) that connects every request to one
// server.
func serveSOCKS(t *testing.T, server string) (addr string, asked <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	names := make(chan string, 1)
	var running sync.WaitGroup
	running.Go(func() {
		down, err := l.Accept()
		if err != nil {
			return
		}
		defer down.Close()
		name, err := negotiateSOCKS(down)
		if err != nil {
			t.Error(err)
			return
		}
		names <- name
		up, err := net.Dial("tcp", server)
		if err != nil {
			t.Error(err)
			return
		}
		defer up.Close()
		running.Go(func() { _, _ = io.Copy(up, down); _ = up.Close() })
		_, _ = io.Copy(down, up)
	})
	t.Cleanup(func() { _ = l.Close(); running.Wait() })
	return l.Addr().String(), names
}

// negotiateSOCKS reads a request for a host name, and accepts it.
func negotiateSOCKS(c net.Conn) (string, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(c, head); err != nil {
		return "", err
	}
	if _, err := io.CopyN(io.Discard, c, int64(head[1])); err != nil {
		return "", err
	}
	if _, err := c.Write([]byte{5, 0}); err != nil {
		return "", err
	}
	ask := make([]byte, 5)
	if _, err := io.ReadFull(c, ask); err != nil {
		return "", err
	}
	if ask[3] != 3 {
		return "", errors.New("asked for an address, not a name")
	}
	name := make([]byte, int(ask[4])+2)
	if _, err := io.ReadFull(c, name); err != nil {
		return "", err
	}
	port := int(name[len(name)-2])<<8 | int(name[len(name)-1])
	_, err := c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	return fmt.Sprintf("%s:%d", name[:len(name)-2], port), err
}
