package conformance

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	conformancev1 "github.com/parley-rpc/parley/tests/conformance/gen/conformance/v1"
)

// driver is the program under test: an implementation that does what lines on
// its standard input say.
type driver struct {
	ready *conformancev1.Ready
	cmd   *exec.Cmd
	in    io.WriteCloser
	ended chan struct{} // its output has ended

	writing sync.Mutex // held while a request is written, which may wait for the program

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when a report has come
	reports map[uint64][]*conformancev1.Report
	next    uint64
	err     error
}

// startDriver starts the command and waits for its first line.
func startDriver(ctx context.Context, stderr io.Writer, command []string) (*driver, error) {
	d := &driver{
		cmd:     exec.CommandContext(ctx, command[0], command[1:]...),
		ended:   make(chan struct{}),
		changed: make(chan struct{}),
		reports: make(map[uint64][]*conformancev1.Report),
	}
	d.cmd.Stderr = stderr
	d.cmd.WaitDelay = 5 * time.Second
	var err error
	if d.in, err = d.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("the command under test does not start: %w", err)
	}
	go d.read(out)
	limit, cancel := context.WithTimeout(ctx, time.Minute) // a browser takes long to start
	defer cancel()
	r, err := d.await(limit, 0, func(r *conformancev1.Report) bool { return r.GetReady() != nil })
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the command under test prints no line with \"ready\": %w", err), d.stop())
	}
	d.ready = r.GetReady()
	return d, nil
}

func (d *driver) read(out io.Reader) {
	defer close(d.ended)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	var err error
	for err == nil && lines.Scan() {
		r := new(conformancev1.Report)
		if err = (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(lines.Bytes(), r); err != nil {
			err = fmt.Errorf("the command under test prints a line that is no Report: %w", err)
		}
		d.add(r)
	}
	if err == nil {
		err = errors.New("the command under test has ended")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *driver) add(r *conformancev1.Report) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reports[r.GetEndpoint()] = append(d.reports[r.GetEndpoint()], r)
	close(d.changed)
	d.changed = make(chan struct{})
}

// await returns the first report of an endpoint that fits, and removes it.
func (d *driver) await(ctx context.Context, endpoint uint64, fits func(*conformancev1.Report) bool) (*conformancev1.Report, error) {
	for {
		d.mu.Lock()
		changed, err := d.changed, d.err
		for i, r := range d.reports[endpoint] {
			if fits(r) {
				d.reports[endpoint] = append(d.reports[endpoint][:i:i], d.reports[endpoint][i+1:]...)
				d.mu.Unlock()
				return r, nil
			}
		}
		d.mu.Unlock()
		if err != nil {
			return nil, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// left returns the reports of an endpoint that were not awaited.
func (d *driver) left(endpoint uint64) []*conformancev1.Report {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reports[endpoint]
}

// newEndpoint returns the number of a new endpoint.
func (d *driver) newEndpoint() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next++
	return d.next
}

// ask writes a request.
func (d *driver) ask(endpoint uint64, r *conformancev1.Request) error {
	r.Endpoint = endpoint
	line, err := protojson.Marshal(r)
	if err != nil {
		return err
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	if _, err := d.in.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("the command under test reads no requests: %w", errors.Join(err, d.failure()))
	}
	return nil
}

// failure returns why no more reports come, if that is so.
func (d *driver) failure() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// stop ends the command: its input ends, and it has 5 s to end itself.
func (d *driver) stop() error {
	_ = d.in.Close() // it may have ended
	t := time.AfterFunc(5*time.Second, func() { _ = d.cmd.Process.Kill() })
	defer t.Stop()
	<-d.ended
	return d.cmd.Wait()
}

// can reports whether the implementation has a role or a feature.
func (d *driver) can(what string) bool {
	return slices.Contains(d.ready.GetRoles(), what) || slices.Contains(d.ready.GetFeatures(), what)
}
