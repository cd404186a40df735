// Command chat is a chat with rooms, in the terminal and in the browser. Each
// member is one bidirectional call, which carries what the member types and
// what the others say. The server serves the page, and calls it to show who is
// typing. Command servers, in the folder of that name, runs several servers of
// the same rooms.
//
//	go run ./examples/chat server
//	go run ./examples/chat join -room lobby -name ada
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/parley-rpc/parley/examples/chat/server"
	"github.com/parley-rpc/parley/examples/internal/serve"
	"github.com/parley-rpc/parley/ext/cluster"
	chatv1 "github.com/parley-rpc/parley/gen/parley/chat/v1"
	"github.com/parley-rpc/parley/gen/parley/chat/v1/chatv1parley"
	"github.com/parley-rpc/parley/rpc"
)

const usage = `usage: chat server [-addr HOST:PORT]
       chat join   [-url URL] [-room ROOM] -name NAME
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

// run runs the command of args until it is done or ctx ends.
func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("chat", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() { fmt.Fprint(out, usage) }
	addr := flags.String("addr", "localhost:8080", "")
	url := flags.String("url", "ws://localhost:8080"+serve.Path, "")
	name := flags.String("name", "", "")
	roomName := flags.String("room", "lobby", "")
	if len(args) == 0 {
		args = []string{"help"}
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	switch {
	case args[0] == "server":
		return server.Run(ctx, server.Config{Addr: *addr, Cluster: cluster.Config{Name: "the only server"}}, func(url string) {
			fmt.Fprintln(out, "serving", "ws"+strings.TrimPrefix(url, "http")+serve.Path)
			fmt.Fprintln(out, "open   ", url)
		})
	case args[0] == "join" && *name != "":
		client := rpc.NewClient(*url)
		defer client.Close() //nolint:errcheck // the program ends
		err := join(ctx, chatv1parley.NewChatServiceClient(client), &chatv1.Enter{Room: *roomName, Name: *name}, in, out)
		if ctx.Err() != nil {
			return nil // by Ctrl-C
		}
		return err
	}
	flags.Usage()
	return fmt.Errorf("not understood: %q", args)
}

// join stays in a room until the input ends.
func join(ctx context.Context, chat chatv1parley.ChatServiceClient, enter *chatv1.Enter, in io.Reader, out io.Writer) error {
	//snippet:join
	call, err := chat.Join(ctx)
	if err != nil {
		return err
	}
	defer call.Close() //nolint:errcheck // leaves the room, unless the call is over
	if err := call.Send(&chatv1.JoinRequest{Action: &chatv1.JoinRequest_Enter{Enter: enter}}); err != nil {
		return err
	}
	go talk(call, in) // ends with the call, or with the next line after that
	for ev, err := range call.All() {
		if err != nil {
			return err
		}
		show(ev, out)
	}
	return nil
	//snippet:end
}

// talk sends what is typed.
func talk(call rpc.Duplex[chatv1.JoinRequest, chatv1.JoinResponse], in io.Reader) {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		say := &chatv1.Say{Text: lines.Text()}
		if err := call.Send(&chatv1.JoinRequest{Action: &chatv1.JoinRequest_Say{Say: say}}); err != nil {
			return // the one who receives gets the error too
		}
	}
	_ = call.CloseSend() // as above
}

// show prints the events of the room. The server has removed what is not
// printable.
func show(ev *chatv1.JoinResponse, out io.Writer) {
	switch {
	case ev.MissedMore:
		fmt.Fprintln(out, "* lines are missing here")
	case ev.Missed > 0:
		fmt.Fprintf(out, "* %d lines are missing here\n", ev.Missed)
	}
	switch e := ev.Event.(type) {
	case *chatv1.JoinResponse_Entered:
		fmt.Fprintf(out, "* here: %s\n", strings.Join(e.Entered.Names, ", "))
	case *chatv1.JoinResponse_Came:
		fmt.Fprintf(out, "* %s came\n", e.Came.Name)
	case *chatv1.JoinResponse_Said:
		fmt.Fprintf(out, "%s: %s\n", e.Said.Name, e.Said.Text)
	case *chatv1.JoinResponse_Left:
		fmt.Fprintf(out, "* %s left\n", e.Left.Name)
	}
}
