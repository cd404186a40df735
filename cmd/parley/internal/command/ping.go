package command

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/parley-rpc/parley/rpc"
)

func (p *program) pingCommand() *cobra.Command {
	var t target
	var count int
	var interval time.Duration
	c := &cobra.Command{
		Use:   "ping URL",
		Short: "Connect, and measure the round-trip time",
		Long: `ping connects to an endpoint, shows its protocol, and measures the round-trip time. If
the URL does not work it explains why.`,
		Example: "  parley ping ws://localhost:8080/rpc",
		Args:    exactly("URL"),
		RunE: func(c *cobra.Command, args []string) error {
			if count < 1 || interval < 0 {
				return usagef("-n must be at least 1, and --interval not negative")
			}
			return p.ping(c.Context(), &t, args[0], count, interval)
		},
	}
	t.flags(c.Flags())
	c.Flags().IntVarP(&count, "count", "n", 5, "number of pings")
	c.Flags().DurationVar(&interval, "interval", 200*time.Millisecond, "pause between pings")
	return c
}

// pinged is the result of a ping. Times are in milliseconds.
type pinged struct {
	URL      string    `json:"url"`
	Address  string    `json:"address"`
	Protocol string    `json:"protocol"`
	TLS      string    `json:"tls,omitempty"`
	Connect  float64   `json:"connectMs"`
	RTT      []float64 `json:"rttMs"`
	Min      float64   `json:"minMs"`
	Avg      float64   `json:"avgMs"`
	Max      float64   `json:"maxMs"`
}

func (p *program) ping(ctx context.Context, t *target, url string, count int, interval time.Duration) error {
	begun := time.Now()
	client, conn, err := t.connect(ctx, url, rpc.WithoutResumption())
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // the program ends
	peer := conn.Peer()
	r := pinged{URL: url, Address: peer.Addr.String(), Protocol: peer.Protocol, Connect: milliseconds(time.Since(begun))}
	secure := "no TLS"
	if peer.TLS != nil {
		r.TLS = tls.VersionName(peer.TLS.Version)
		secure = r.TLS
	}
	p.sayf("connected to %s (%s) in %.2f ms: %s, %s\n", url, r.Address, r.Connect, r.Protocol, secure)
	var sum float64
	for i := range count {
		if i > 0 {
			pause(ctx, interval)
		}
		limit, cancel := context.WithTimeout(ctx, t.timeout)
		rtt, err := conn.Ping(limit)
		cancel()
		if err != nil {
			return failure{exitUnreachable, fmt.Errorf("no PONG: %w", err)}
		}
		ms := milliseconds(rtt)
		p.sayf("%d: %.2f ms\n", i+1, ms)
		r.RTT = append(r.RTT, ms)
		sum += ms
		r.Max = max(r.Max, ms)
		if r.Min == 0 || ms < r.Min {
			r.Min = ms
		}
	}
	r.Avg = sum / float64(count)
	p.sayf("min %.2f ms, avg %.2f ms, max %.2f ms\n", r.Min, r.Avg, r.Max)
	if p.json() {
		return json.NewEncoder(p.Out).Encode(r)
	}
	return nil
}

// sayf prints what is not part of the JSON output.
func (p *program) sayf(format string, args ...any) {
	if !p.json() {
		fmt.Fprintf(p.Out, format, args...)
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// exactly checks that there is one argument for each name.
func exactly(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		return usagef("%d arguments instead of %d: write %s", len(args), len(names), c.UseLine())
	}
}
