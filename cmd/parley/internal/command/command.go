package command

import (
	"context"
	"errors"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/parley-rpc/parley/transport/ws"
)

// Streams are the input and outputs of the program.
type Streams struct {
	In   io.Reader
	Out  io.Writer // results
	Err  io.Writer // errors, logs, progress
	Live bool      // Err is a terminal, where a line can be overwritten
}

const about = `parley calls services over WebSockets, describes and measures them, and runs a gateway
in front of gRPC servers.

A URL is that of an endpoint: ws://localhost:8080/rpc, or wss:// with TLS.

Exit codes:
  0  all went well
  1  a call ended with a status other than OK
  2  the command line is invalid: a flag, a request, a method that does not exist, a
     .proto that does not compile
  3  there is no endpoint at the URL, or it cannot be reached
  4  the program was interrupted`

// program is the common part of all commands.
type program struct {
	Streams
	terminal io.Writer // Err as it is, for what the program itself has it do
	output   string    // "text" or "json"
}

// Run executes a command and returns the exit code. ctx ends it early.
func Run(ctx context.Context, args []string, std Streams) int {
	p := &program{Streams: std, terminal: std.Err}
	p.Out, p.Err = visible{std.Out}, visible{std.Err}
	root := &cobra.Command{
		Use:           "parley",
		Short:         "Calls over WebSockets",
		Long:          about,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		Version:       version(),
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetVersionTemplate("parley {{.Version}}\n")
	root.PersistentFlags().StringVarP(&p.output, "output", "o", "text", "output format: text, or json for scripts")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if p.output != "text" && p.output != "json" {
			return usagef("-o %s: use text or json", p.output)
		}
		return nil
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%w: see %s --help", err, c.CommandPath())
	})
	root.AddCommand(p.benchCommand(), p.callCommand(), p.conformanceCommand(), p.describeCommand(), p.gatewayCommand(), p.listCommand(), p.pingCommand())
	root.SetArgs(args)
	root.SetIn(std.In)
	root.SetOut(p.Out)
	root.SetErr(p.Err)
	err := root.ExecuteContext(ctx)
	if err != nil && ctx.Err() != nil {
		err = failure{exitInterrupted, errors.New("interrupted")}
	}
	return p.end(err)
}

// version returns the versions of the program and its protocol.
func version() string {
	v := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v = info.Main.Version
	}
	return v + ", speaks " + ws.Subprotocol
}

// json reports whether results and errors are written as JSON.
func (p *program) json() bool { return p.output == "json" }
