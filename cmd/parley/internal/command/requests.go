package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/fullstorydev/grpcurl"
	"github.com/jhump/protoreflect/desc"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/runtime/protoiface"
)

// requests are the messages that a call sends: JSON values, one after the
// other.
type requests struct {
	from   *schema
	name   string // of their message
	values chan json.RawMessage
	end    error         // set before values is closed
	over   chan struct{} // closed when the call is over
	once   sync.Once

	mu     sync.Mutex
	count  int
	failed error // the error in them
}

// readRequests starts to read requests, on a goroutine of its own. If it still
// waits for input when the call ends, that read is abandoned.
func readRequests(in io.Reader, from *schema, name string) *requests {
	r := &requests{from: from, name: name, values: make(chan json.RawMessage), over: make(chan struct{})}
	go func() {
		defer close(r.values)
		for decoder := json.NewDecoder(textReader(in)); ; {
			var value json.RawMessage
			if r.end = decoder.Decode(&value); r.end != nil {
				return
			}
			select {
			case r.values <- value:
			case <-r.over:
				return
			}
		}
	}()
	return r
}

// stop stops the reading.
func (r *requests) stop() { r.once.Do(func() { close(r.over) }) }

// next waits for a request and stores it in m. It returns io.EOF after the last
// one, and when the call is over.
func (r *requests) next(ctx context.Context, m protoiface.MessageV1) error {
	var value json.RawMessage
	var more bool
	select {
	case value, more = <-r.values:
	case <-r.over:
		return io.EOF
	case <-ctx.Done():
		return ctx.Err()
	}
	if !more {
		if errors.Is(r.end, io.EOF) {
			return io.EOF
		}
		return r.fail("is not JSON: %w", r.end)
	}
	parser, _, err := grpcurl.RequestParserAndFormatter(grpcurl.FormatJSON, r.from, bytes.NewReader(value), grpcurl.FormatOptions{})
	if err == nil {
		err = parser.Next(m)
	}
	if err != nil {
		return r.fail("is not a %s: %w (parley describe shows its fields)", r.name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	return nil
}

// fail keeps the error in the request after those that were read.
func (r *requests) fail(format string, args ...any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = usagef("request %d "+format, append([]any{r.count + 1}, args...)...)
	return r.failed
}

// failure returns the error in the requests.
func (r *requests) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// data is the flag for requests.
type data struct {
	value string
	flag  *pflag.Flag
}

func (d *data) flags(f *pflag.FlagSet) {
	f.StringVarP(&d.value, "data", "d", "", "requests as `JSON`, or @FILE to read them from a file, or @ from the standard input")
	d.flag = f.Lookup("data")
}

// open returns the source of a method's requests. Without the flag it is the
// standard input for a stream of requests, and empty otherwise.
func (d *data) open(typed io.Reader, m *desc.MethodDescriptor) (io.ReadCloser, error) {
	file, named := strings.CutPrefix(d.value, "@")
	switch {
	case named && file != "" && file != "-":
		f, err := os.Open(file)
		if err != nil {
			return nil, usagef("-d: %w", err)
		}
		return f, nil
	case named, !d.flag.Changed && m.IsClientStreaming():
		return io.NopCloser(typed), nil
	}
	return io.NopCloser(strings.NewReader(d.value)), nil
}
