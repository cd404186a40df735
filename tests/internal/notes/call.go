package notes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/deploy/gen/deploy/v1/deployv1parley"
)

// Kind is a kind of call.
type Kind int

const (
	echo Kind = iota
	look
	upload
	download
	exchange
	subscribe

	kinds
)

func (k Kind) String() string {
	return [kinds]string{"Echo", "Look", "Upload", "Download", "Exchange", "Subscribe"}[k]
}

// call is a running call.
type call struct {
	id    uint64
	kind  Kind
	who   string
	began time.Time
	safe  bool // the client retries it if it fails
}

func (c *call) isUnary() bool { return c.kind == echo || c.kind == look }

// Excuse reports whether the failure of a call was expected. began is when the
// call started.
type Excuse func(began time.Time, err error) bool

// IDs gives each call of a process an id. Processes have different highest
// bits.
type IDs struct{ last atomic.Uint64 }

// NewIDs returns the ids of a process with a number.
func NewIDs(process int) *IDs {
	i := new(IDs)
	i.last.Store(uint64(process) << 40)
	return i
}

// CallTimeout is when a call counts as hanging, which is a failure.
const CallTimeout = time.Minute

// Caller makes calls and records their results.
type Caller struct {
	Conn  rpc.Caller
	Book  *Book
	IDs   *IDs
	Who   string
	Retry bool          // calls that may be repeated are retried
	Pace  time.Duration // between unary calls; between notes of a stream, twice that
	Count uint64        // notes of a stream
}

// notes returns the stub of the service that is called.
func (c *Caller) notes() deployv1parley.NoteServiceClient {
	return deployv1parley.NewNoteServiceClient(c.Conn)
}

// Call makes one call of a kind and records it. It does not, and reports false,
// if excuse accepts its error.
func (c *Caller) Call(ctx context.Context, k Kind, excuse Excuse) bool {
	on := call{id: c.IDs.last.Add(1), kind: k, who: c.Who, began: time.Now(), safe: c.Retry && k == look}
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	var counts Counts
	var err error
	switch k {
	case echo, look:
		err = c.unary(ctx, on)
	case upload:
		counts, err = c.upload(ctx, on)
	case download:
		counts, err = c.download(ctx, on)
	default:
		counts, err = c.exchange(ctx, on)
	}
	if err != nil && excuse(on.began, err) {
		return false
	}
	c.Book.done(on, counts, err)
	return true
}

func (c *Caller) unary(ctx context.Context, on call) error {
	do := c.notes().Echo
	if on.kind == look {
		do = c.notes().Look
	}
	res, err := do(ctx, &note{Call: on.id})
	if err == nil && res.Call != on.id {
		return fmt.Errorf("call %#x got the answer of %#x", on.id, res.Call)
	}
	return err
}

// rest waits between two notes.
func (c *Caller) rest(ctx context.Context) error { return Pause(ctx, 2*c.Pace) }

func (c *Caller) upload(ctx context.Context, on call) (Counts, error) {
	up, err := c.notes().Upload(ctx)
	if err != nil {
		return Counts{}, err
	}
	defer up.Close() //nolint:errcheck // CloseAndRecv returns the status
	if err := c.sendAll(ctx, on, up.Send); err != nil {
		return Counts{}, err
	}
	res, err := up.CloseAndRecv()
	if err != nil {
		return Counts{}, err
	}
	return told(res, c.Count), nil
}

// told returns what became of the notes that were sent, from the peer's tally.
func told(res *note, sent uint64) Counts {
	t := res.GetTally()
	return Counts{
		Lost:       int(max(sent, t.GetReceived()) - t.GetReceived()),
		Duplicated: int(t.GetDuplicated()),
		Reordered:  int(t.GetReordered()),
	}
}

func (c *Caller) sendAll(ctx context.Context, on call, send func(*note) error) error {
	for n := range c.Count {
		if err := send(&note{Call: on.id, Number: n, Filling: filling(n)}); err != nil {
			return err
		}
		if err := c.rest(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *Caller) download(ctx context.Context, on call) (Counts, error) {
	in, err := c.notes().Download(ctx, &note{Call: on.id, Count: c.Count, PaceMs: uint32(2 * c.Pace.Milliseconds())})
	if err != nil {
		return Counts{}, err
	}
	defer in.Close() //nolint:errcheck // Recv returns the status
	var got sequence
	_, err = c.takeAll(&got, in.Recv)
	return got.close(c.Count), err
}

// takeAll receives all notes and returns the last one.
func (c *Caller) takeAll(got *sequence, recv func() (*note, error)) (*note, error) {
	var last *note
	for {
		n, err := recv()
		if errors.Is(err, io.EOF) {
			return last, nil
		}
		if err != nil {
			return nil, err
		}
		got.take(n.Number)
		last = n
	}
}

func (c *Caller) exchange(ctx context.Context, on call) (Counts, error) {
	both, err := c.notes().Exchange(ctx)
	if err != nil {
		return Counts{}, err
	}
	defer both.Close() //nolint:errcheck // Send and Recv return the status
	var sending sync.WaitGroup
	var failed error
	sending.Go(func() {
		if failed = c.sendAll(ctx, on, both.Send); failed == nil {
			failed = both.CloseSend()
		}
	})
	var got sequence
	last, err := c.takeAll(&got, both.Recv)
	if err != nil {
		_ = both.Close() // so that Send does not wait
	}
	sending.Wait()
	if err = errors.Join(err, failed); err != nil {
		return got.close(0), err
	}
	counts := got.close(c.Count)
	counts.add(told(last, c.Count))
	return counts, nil
}
