package conformance

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	conformancev1 "github.com/parley-rpc/parley/tests/conformance/gen/conformance/v1"
)

// tell runs a step "! verb": the application of the implementation does
// something, or the runner changes what it does by itself.
func (p *play) tell(l *line) error {
	var r conformancev1.Request
	switch l.verb {
	case "call":
		call, err := callRequest(l)
		if err != nil {
			return err
		}
		r.Do = &conformancev1.Request_Call{Call: call}
	case "cancel":
		n, err := number(strings.TrimPrefix(l.word(0), "c"))
		if err != nil {
			return err
		}
		r.Do = &conformancev1.Request_Cancel{Cancel: &conformancev1.Cancel{Call: n}}
	case "half-close":
		n, err := number(strings.TrimPrefix(l.word(0), "c"))
		if err != nil {
			return err
		}
		r.Do = &conformancev1.Request_HalfClose{HalfClose: &conformancev1.HalfClose{Call: n}}
	case "drain":
		r.Do = &conformancev1.Request_Drain{Drain: &conformancev1.Drain{}}
	case "end":
		r.Do = &conformancev1.Request_Close{Close: &conformancev1.Close{}}
	case "mute": // the runner answers no PING
		p.mute.Store(true)
		return nil
	case "cut-after": // the link is cut when so many bytes more have been read
		n, err := number(l.word(0))
		if err == nil {
			p.link().cutAfter(int(n))
		}
		return err
	case "await-cut": // the link has been cut
		return p.awaitCut()
	case "pause":
		return p.pause(l.word(0))
	default:
		return fmt.Errorf("unknown verb %q", l.verb)
	}
	return p.driver.ask(p.endpoint, &r)
}

func (p *play) pause(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.ctx.Done():
	}
	return p.ctx.Err()
}

// awaitCut waits until the link has ended, at either end.
func (p *play) awaitCut() error {
	select {
	case <-p.link().done:
		return nil
	case <-time.After(stepTime):
		return fmt.Errorf("fewer bytes came within %v than the link was to be cut after", stepTime)
	}
}

// callRequest reads "! call c1 Unary {...} ... timeout=5s codec=json
// compression=gzip meta.KEY=VALUE hold".
func callRequest(l *line) (*conformancev1.Call, error) {
	n, err := number(strings.TrimPrefix(l.word(0), "c"))
	if err != nil {
		return nil, fmt.Errorf("a call has a name such as c1: %w", err)
	}
	call := &conformancev1.Call{Call: n, Method: l.word(1), Hold: l.has("hold")}
	for _, body := range l.bodies {
		w := new(conformancev1.Work)
		if err := protojson.Unmarshal([]byte(expandZeros(body)), w); err != nil {
			return nil, err
		}
		call.Requests = append(call.Requests, w)
	}
	for _, a := range l.args {
		key, isMeta := strings.CutPrefix(a.key, "meta.")
		switch {
		case isMeta:
			pair, err := pairOf(arg{key, a.value})
			if err != nil {
				return nil, err
			}
			call.Metadata = append(call.Metadata, pair)
		case a.key == "timeout":
			d, err := time.ParseDuration(a.value)
			if err != nil {
				return nil, err
			}
			call.TimeoutMs = uint32(d.Milliseconds())
		case a.key == "codec":
			call.Codec = a.value
		case a.key == "compression":
			call.Compression = a.value
		default:
			return nil, fmt.Errorf("a call has no %q", a.key)
		}
	}
	return call, nil
}

// pairOf makes a pair of an argument: a value of "-bin" is hex in cases, and
// base64 in a Pair.
func pairOf(a arg) (*conformancev1.Pair, error) {
	value, err := metadataValue(a.key, a.value)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(a.key, "-bin") {
		return &conformancev1.Pair{Key: a.key, Value: base64.RawStdEncoding.EncodeToString(value)}, nil
	}
	return &conformancev1.Pair{Key: a.key, Value: string(value)}, nil
}

// expectReport runs a step "? verb": the implementation reports something to
// its application.
func (p *play) expectReport(l *line) error {
	within, err := l.within(stepTime)
	if err != nil {
		return err
	}
	switch l.verb {
	case "handler":
		_, err := p.report(within, "HandlerEnd of "+l.word(0), func(r *conformancev1.Report) bool {
			return r.GetHandlerEnd().GetMethod() == l.word(0)
		})
		return err
	case "no-call":
		for _, r := range p.driver.left(p.endpoint) {
			if r.GetCallEnd() != nil {
				return fmt.Errorf("the call has ended: %s", abbreviated(protojson.Format(r)))
			}
		}
		return nil
	case "call":
	default:
		return fmt.Errorf("unknown verb %q", l.verb)
	}
	n, err := number(strings.TrimPrefix(l.word(0), "c"))
	if err != nil {
		return err
	}
	r, err := p.report(within, "CallEnd of "+l.word(0), func(r *conformancev1.Report) bool {
		return r.GetCallEnd() != nil && r.GetCallEnd().GetCall() == n
	})
	if err != nil {
		return err
	}
	return matchesEnd(r.GetCallEnd(), l)
}

// matchesEnd compares the end of a call with "? call c1 status=5 message=...
// {...} header.KEY=VALUE trailer.KEY=VALUE detail=HEX". What is not named is
// not compared, except the status (0) and the responses.
func matchesEnd(end *conformancev1.CallEnd, l *line) error {
	status, ok := l.get("status")
	if !ok {
		status = "0"
	}
	if !slices.Contains(strings.Split(status, "|"), fmt.Sprint(end.GetStatus())) {
		return fmt.Errorf("the call ends with status %d %q, want %s", end.GetStatus(), end.GetMessage(), status)
	}
	if message, ok := l.get("message"); ok && message != end.GetMessage() {
		return fmt.Errorf("the message of the status is %q, want %q", end.GetMessage(), message)
	}
	if detail, ok := l.get("detail"); ok {
		got := hex.EncodeToString(bytes.Join(end.GetDetails(), nil))
		if got != detail {
			return fmt.Errorf("the details are %s, want %s", got, detail)
		}
	}
	for name, got := range map[string][]*conformancev1.Pair{"header.": end.GetHeader(), "trailer.": end.GetTrailer()} {
		if err := matchesPairs(name, got, l); err != nil {
			return err
		}
	}
	if l.has("any") {
		return nil
	}
	if len(end.GetResponses()) != len(l.bodies) {
		return fmt.Errorf("%d responses were received, want %d", len(end.GetResponses()), len(l.bodies))
	}
	for i, body := range l.bodies {
		if err := matchesMessage(&event{msg: end.GetResponses()[i]}, &line{bodies: []string{body}}); err != nil {
			return err
		}
	}
	return nil
}

func matchesPairs(name string, got []*conformancev1.Pair, l *line) error {
	var want, have []string
	for _, a := range l.args {
		if key, ok := strings.CutPrefix(a.key, name); ok {
			pair, err := pairOf(arg{key, a.value})
			if err != nil {
				return err
			}
			want = append(want, pair.GetKey()+"="+pair.GetValue())
		}
	}
	for _, pair := range got {
		have = append(have, pair.GetKey()+"="+pair.GetValue())
	}
	// Values of one key keep their order; keys have none.
	byKey := func(a, b string) int { return strings.Compare(before(a), before(b)) }
	slices.SortStableFunc(want, byKey)
	slices.SortStableFunc(have, byKey)
	if !slices.Equal(have, want) {
		return fmt.Errorf("the metadata %s* is %q, want %q", name, have, want)
	}
	return nil
}

func before(pair string) string {
	key, _, _ := strings.Cut(pair, "=")
	return key
}
