package wan

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/parley-rpc/parley/bench/internal/target"
)

// order is what the program in TypeScript has to measure: its argument.
type order struct {
	Runtime     string   `json:"runtime"`
	Target      string   `json:"target"`
	URL         string   `json:"url"`
	Near        string   `json:"near"`
	RoundTripMs float64  `json:"roundTripMs"`
	WarmupMs    float64  `json:"warmupMs"`
	MeasureMs   float64  `json:"measureMs"`
	MarkLimitMs float64  `json:"markLimitMs"`
	Workloads   []string `json:"workloads"`
}

// scriptLine is a line that the program says: a question, or a result.
type scriptLine struct {
	Ask string
	Result
}

// script measures a library in TypeScript, and calls report with each result.
// Each workload of Node.js is in a process of its own, as its connections are
// kept there. Chromium has them by page.
func (b *bench) script(ctx context.Context, report func(Result) error) error {
	batches := [][]string{b.Workloads}
	if b.target.Runtime == node {
		batches = nil
		for _, w := range b.Workloads {
			batches = append(batches, []string{w})
		}
	}
	for _, workloads := range batches {
		if err := b.runScript(ctx, workloads, report); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) runScript(ctx context.Context, workloads []string, report func(Result) error) (err error) {
	argument, err := json.Marshal(order{
		Runtime: b.target.Runtime, Target: b.target.Library, URL: "http://" + b.far.addr(), Near: "http://" + b.far.near(),
		RoundTripMs: millis(b.Path.RoundTrip), WarmupMs: millis(b.warmup()), MeasureMs: millis(b.For),
		MarkLimitMs: millis(markLimit), Workloads: workloads,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit*time.Duration(len(workloads)))
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", filepath.Join(b.Scripts, "main.js"), string(argument))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = b.converse(in, out, report)
	_ = in.Close() // fails if the program has ended
	_, _ = io.Copy(io.Discard, out)
	return errors.Join(err, cmd.Wait())
}

// converse answers the program's questions and passes on its results.
func (b *bench) converse(in io.Writer, out io.Reader, report func(Result) error) error {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var line scriptLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return fmt.Errorf("a line of the program: %w: %q", err, lines.Bytes())
		}
		if line.Ask == "" {
			if err := report(line.Result); err != nil {
				return err
			}
			continue
		}
		n, err := b.far.received()
		if err != nil {
			return err
		}
		if err := json.NewEncoder(in).Encode(reply{Received: n}); err != nil {
			return err
		}
	}
	return nil
}

// site serves the page of Chromium, in connections that then close: the first
// call opens one.
func site(scripts string) http.Handler {
	files := http.FileServer(http.Dir(filepath.Join(scripts, "site")))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		if r.URL.Path == "/" {
			_, _ = io.WriteString(w, "<!doctype html><title>wan</title>\n") // a page that leaves gets none
			return
		}
		files.ServeHTTP(w, r)
	})
}

// serveWeb serves what libraries in TypeScript call.
func serveWeb(scripts string) http.Handler {
	h, _ := target.Web(site(scripts)) // until the process ends
	return h
}
