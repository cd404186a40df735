// Command stubgen compiles .proto files and runs protoc plugins on them, as protoc does.
//
//	stubgen -I proto --plugin go=bin/protoc-gen-go --out gen --opt paths=source_relative parley/ping/v1/ping.proto
//
// It takes the place of protoc and buf where neither is at hand: it builds in seconds and needs nothing but Go.
// The well-known types (google/protobuf/*.proto) are built in. Errors go to standard error, one line each, and
// nothing is written unless every plugin succeeded.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stderr)
	stop()
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(os.Stderr, usage)
	default:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run does the work of the command line args. Plugins write their own messages to stderr, and so do the
// compiler's warnings.
func run(ctx context.Context, args []string, stderr io.Writer) error {
	cmd, err := parseCommand(args)
	if err != nil {
		return fmt.Errorf("stubgen: %w", err)
	}
	src, err := compile(ctx, cmd.imports, cmd.files, stderr)
	if err != nil {
		return err // a list of positions and messages, as compilers print them
	}
	var out output
	for _, p := range cmd.plugins {
		req, err := src.request(cmd.opt)
		if err != nil {
			return fmt.Errorf("stubgen: %w", err)
		}
		res, err := p.run(ctx, req, stderr)
		if err != nil {
			return fmt.Errorf("stubgen: plugin %s: %w", p.name, err)
		}
		if err := src.supportedBy(res); err != nil {
			return fmt.Errorf("stubgen: plugin %s: %w", p.name, err)
		}
		if err := out.add(res); err != nil {
			return fmt.Errorf("stubgen: plugin %s: %w", p.name, err)
		}
	}
	if err := out.write(cmd.out); err != nil {
		return fmt.Errorf("stubgen: %w", err)
	}
	return nil
}
