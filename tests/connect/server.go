package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"google.golang.org/protobuf/proto"

	parleyconnect "github.com/parley-rpc/parley/ext/connect"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// serveTests is the server under test: it reads from the standard input how to
// serve, writes to the standard output where, and serves until ctx ends.
func serveTests(ctx context.Context) error {
	s, err := loadSchema(ctx, os.Getenv(variable))
	if err != nil {
		return err
	}
	how := s.newMessage("ServerCompatRequest")
	if err := readDelimited(os.Stdin, how.Message); err != nil {
		return err
	}
	srv := rpc.NewServer(
		rpc.WithTransport(transport.Parameters{MaxMessage: int(how.value("message_receive_limit").Uint())}),
		rpc.WithLogger(slog.New(slog.DiscardHandler)))
	s.register(srv)
	web := &http.Server{
		Handler:           parleyconnect.NewHandler(srv),
		ReadHeaderTimeout: 10 * time.Second,
		Protocols:         new(http.Protocols),
		ErrorLog:          log.New(io.Discard, "", 0), // clients break rules on purpose
	}
	web.Protocols.SetHTTP1(true)
	web.Protocols.SetHTTP2(true)
	web.Protocols.SetUnencryptedHTTP2(true)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	where := s.newMessage("ServerCompatResponse")
	where.set("host", "127.0.0.1")
	where.set("port", uint32(listener.Addr().(*net.TCPAddr).Port))
	serve := func() error { return web.Serve(listener) }
	if how.value("use_tls").Bool() {
		if web.TLSConfig, err = tlsConfig(how); err != nil {
			return err
		}
		where.set("pem_cert", how.sub("server_creds").value("cert").Bytes())
		serve = func() error { return web.ServeTLS(listener, "", "") }
	}
	context.AfterFunc(ctx, func() {
		_ = srv.Close()
		_ = web.Close()
	})
	if err := writeDelimited(os.Stdout, where.Message); err != nil {
		return err
	}
	if err := serve(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// tlsConfig returns the configuration for TLS that the runner asks for.
func tlsConfig(how *message) (*tls.Config, error) {
	creds := how.sub("server_creds")
	if creds == nil {
		return nil, errors.New("the runner asks for TLS and sends no certificate")
	}
	own, err := tls.X509KeyPair(creds.value("cert").Bytes(), creds.value("key").Bytes())
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}
	if client := how.value("client_tls_cert").Bytes(); len(client) > 0 {
		cfg.ClientAuth, cfg.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		if !cfg.ClientCAs.AppendCertsFromPEM(client) {
			return nil, errors.New("the certificate of clients is not PEM")
		}
	}
	return cfg, nil
}

// maxDelimited bounds a message of the runner in bytes.
const maxDelimited = 1 << 20

// readDelimited reads a message behind its size.
func readDelimited(r io.Reader, msg proto.Message) error {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return fmt.Errorf("read how to serve: %w", err)
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxDelimited {
		return fmt.Errorf("the runner sends a message of %d bytes", n)
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(r, data); err != nil {
		return fmt.Errorf("read how to serve: %w", err)
	}
	return proto.Unmarshal(data, msg)
}

// writeDelimited writes a message behind its size.
func writeDelimited(w io.Writer, msg proto.Message) error {
	data, err := proto.Marshal(msg)
	if err != nil {
		return err
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...))
	return err
}
