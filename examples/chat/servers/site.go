package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
)

// runSite runs NATS, the servers and nginx until it is interrupted or one of them
// fails.
func runSite(interrupted context.Context, addr string, nodes int, out io.Writer) (err error) {
	program, err := findNginx(nginxPrograms)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "parley-chat-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	nats, err := startNATS(filepath.Join(dir, "nats"))
	if err != nil {
		return err
	}
	defer nats.stop()

	ctx, stop := context.WithCancel(interrupted)
	defer stop()
	all, ctx := errgroup.WithContext(ctx)
	defer func() {
		stop()
		err = errors.Join(err, all.Wait())
		if interrupted.Err() != nil {
			err = nil
		}
	}()
	secret := rand.Text()
	servers := make([]*server, nodes)
	for i := range servers {
		if servers[i], err = newServer(i+1, nats.url(), secret, out); err != nil {
			return err
		}
		if err := servers[i].start(ctx); err != nil {
			return err
		}
		all.Go(func() error { return servers[i].keep(ctx) })
	}
	proxy, err := startNginx(ctx, program, filepath.Join(dir, "nginx"), addr, servers)
	if err != nil {
		return err
	}
	all.Go(func() error { return proxy.keep(ctx) })
	fmt.Fprintln(out, "open   ", "http://"+proxy.addr)
	<-ctx.Done()
	return nil
}
