// Command peer is the Go implementation under the conformance kit: it does what
// the requests on standard input say, and reports on standard output.
// docs/conformance.md describes both. With -fault it is wrong on purpose, so
// that the kit can show that it notices.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/encoding/protojson"

	conformancev1 "github.com/parley-rpc/parley/tests/conformance/gen/conformance/v1"
)

func main() {
	fault := flag.String("fault", "", "break the rules in one way: "+strings.Join(faultNames(), ", "))
	flag.Parse()
	if *fault != "" && !slices.Contains(faultNames(), *fault) {
		fmt.Fprintf(os.Stderr, "-fault %s: use one of %s\n", *fault, strings.Join(faultNames(), ", "))
		os.Exit(2)
	}
	p := &program{out: os.Stdout, fault: *fault, endpoints: make(map[uint64]endpoint)}
	if err := p.run(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// endpoint is one end of a connection under test: a *dialer or an *acceptor.
type endpoint interface {
	call(*conformancev1.Call)
	cancel(call uint64)
	halfClose(call uint64)
	drain()
	close()
}

// program reads requests and writes reports.
type program struct {
	fault     string
	endpoints map[uint64]endpoint
	running   sync.WaitGroup // endpoints that are being closed

	mu  sync.Mutex
	out io.Writer
}

func (p *program) run(in io.Reader) error {
	p.report(0, &conformancev1.Report{What: &conformancev1.Report_Ready{Ready: &conformancev1.Ready{
		Name:     "parley-go",
		Roles:    []string{"dialer", "acceptor"},
		Features: []string{"gzip", "json", "leaving", "resumption", "serving"},
	}}})
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var r conformancev1.Request
		if err := protojson.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("a line that is no request: %w", err)
		}
		p.do(&r)
	}
	for _, e := range p.endpoints {
		p.running.Go(e.close)
	}
	p.running.Wait()
	return lines.Err()
}

func (p *program) do(r *conformancev1.Request) {
	e := p.endpoints[r.GetEndpoint()]
	reports := &reporter{program: p, endpoint: r.GetEndpoint()}
	var err error
	switch do := r.GetDo().(type) {
	case *conformancev1.Request_Listen:
		p.endpoints[r.GetEndpoint()], err = listen(do.Listen, reports)
	case *conformancev1.Request_Connect:
		p.endpoints[r.GetEndpoint()] = connect(do.Connect, reports)
	case nil:
		err = fmt.Errorf("an unknown request: %v", r)
	default:
		if e == nil {
			err = fmt.Errorf("there is no endpoint %d", r.GetEndpoint())
			break
		}
		p.use(e, r)
	}
	if err != nil {
		reports.fail(err)
		delete(p.endpoints, r.GetEndpoint())
	}
}

// use does what a request asks of an endpoint that is there.
func (p *program) use(e endpoint, r *conformancev1.Request) {
	switch do := r.GetDo().(type) {
	case *conformancev1.Request_Call:
		e.call(do.Call)
	case *conformancev1.Request_Cancel:
		e.cancel(do.Cancel.GetCall())
	case *conformancev1.Request_HalfClose:
		e.halfClose(do.HalfClose.GetCall())
	case *conformancev1.Request_Drain:
		p.running.Go(e.drain)
	case *conformancev1.Request_Close:
		delete(p.endpoints, r.GetEndpoint())
		p.running.Go(e.close)
	}
}

// report writes one line.
func (p *program) report(endpoint uint64, r *conformancev1.Report) {
	r.Endpoint = endpoint
	line, err := protojson.Marshal(r)
	if err != nil {
		panic(err) // the texts are valid UTF-8: they come from messages
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.out.Write(append(line, '\n')) // the runner has gone: the input ends too
}

// reporter writes the reports of one endpoint.
type reporter struct {
	program  *program
	endpoint uint64
}

func (r *reporter) send(report *conformancev1.Report) { r.program.report(r.endpoint, report) }

func (r *reporter) fail(err error) {
	r.send(&conformancev1.Report{What: &conformancev1.Report_Failure{Failure: strings.ToValidUTF8(err.Error(), "?")}})
}

func (r *reporter) handlerEnd(method string) {
	r.send(&conformancev1.Report{What: &conformancev1.Report_HandlerEnd{HandlerEnd: &conformancev1.HandlerEnd{Method: method}}})
}
