// Command reverse is a hub whose server calls its clients. Devices dial the
// hub, from behind any firewall, and the hub then calls their services.
//
//	go run ./examples/reverse hub
//	go run ./examples/reverse agent -name kitchen
//	go run ./examples/reverse list
//	go run ./examples/reverse watch -name kitchen
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/parley-rpc/parley/examples/internal/serve"
	"github.com/parley-rpc/parley/examples/reverse/device"
	"github.com/parley-rpc/parley/examples/reverse/hub"
	agentv1 "github.com/parley-rpc/parley/gen/parley/agent/v1"
	"github.com/parley-rpc/parley/gen/parley/agent/v1/agentv1parley"
	"github.com/parley-rpc/parley/rpc"
)

const usage = `usage: reverse hub   [-addr HOST:PORT]
       reverse agent [-url URL] -name NAME
       reverse list  [-url URL]
       reverse watch [-url URL] -name NAME [-count N] [-every DURATION]
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "reverse:", err)
		os.Exit(1)
	}
}

// run runs the command of args until it is done or ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("reverse", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() { fmt.Fprint(out, usage) }
	addr := flags.String("addr", "localhost:8080", "")
	url := flags.String("url", "ws://localhost:8080"+serve.Path, "")
	name := flags.String("name", "", "")
	count := flags.Uint("count", 0, "")
	every := flags.Duration("every", time.Second, "")
	if len(args) == 0 {
		args = []string{"help"}
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	switch {
	case args[0] == "hub":
		return serve.Until(ctx, *addr, hub.NewServer(), http.NotFoundHandler(), func(url string) { fmt.Fprintln(out, "serving", url) })
	case args[0] == "agent" && *name != "":
		client := device.NewClient(*url, *name)
		defer client.Close() //nolint:errcheck // the program ends
		return device.Stay(ctx, client, func(event string) { fmt.Fprintln(out, event) })
	case args[0] == "list":
		client := rpc.NewClient(*url)
		defer client.Close() //nolint:errcheck // the program ends
		return list(ctx, agentv1parley.NewHubServiceClient(client), out)
	case args[0] == "watch" && *name != "":
		client := rpc.NewClient(*url)
		defer client.Close() //nolint:errcheck // the program ends
		return watch(ctx, agentv1parley.NewHubServiceClient(client), &agentv1.WatchAgentRequest{
			Name:  *name,
			Watch: &agentv1.WatchRequest{IntervalMs: uint32(every.Milliseconds()), Count: uint32(*count)},
		}, out)
	}
	flags.Usage()
	return fmt.Errorf("not understood: %q", args)
}

// shown returns a device's text with control characters escaped.
func shown(text string) string {
	quoted := strconv.Quote(text)
	return quoted[1 : len(quoted)-1]
}

// list prints the description of each device.
func list(ctx context.Context, hub agentv1parley.HubServiceClient, out io.Writer) error {
	res, err := hub.ListAgents(ctx, &agentv1.ListAgentsRequest{})
	if err != nil {
		return err
	}
	for _, agent := range res.Agents {
		if agent.Description == nil {
			fmt.Fprintf(out, "%s: %s\n", shown(agent.Name), shown(agent.Problem))
			continue
		}
		fmt.Fprintf(out, "%s: %s, up for %d s\n", shown(agent.Name), shown(agent.Description.Platform), agent.Description.UptimeS)
	}
	return nil
}

// watch prints the readings of a device.
func watch(ctx context.Context, hub agentv1parley.HubServiceClient, req *agentv1.WatchAgentRequest, out io.Writer) error {
	readings, err := hub.WatchAgent(ctx, req)
	if err != nil {
		return err
	}
	for r, err := range readings.All() {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: reading %d: %.1f °C\n", req.Name, r.Reading.Number, r.Reading.Temperature)
	}
	return nil
}
