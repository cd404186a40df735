package rpc

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"runtime"
	"sync"
	"time"
)

// Compressor makes single messages smaller. It is used by many goroutines at once.
type Compressor interface {
	// Name is what the compression is called on the wire.
	Name() string
	// Compress appends the compressed src to dst.
	Compress(dst, src []byte) ([]byte, error)
	// Decompress appends the inflated src to dst. It returns ErrInflatedTooLarge
	// as soon as that is more than limit bytes.
	Decompress(dst, src []byte, limit int) ([]byte, error)
}

// CompressionGzip is the compression that every endpoint has.
const CompressionGzip = "gzip"

// ErrInflatedTooLarge says that a compressed message is larger than the limit
// for messages once it is inflated.
var ErrInflatedTooLarge = errors.New("inflated message over the limit")

func defaultCompressors() map[string]Compressor {
	return map[string]Compressor{CompressionGzip: new(gzipCompressor)}
}

type gzipCompressor struct {
	writers sync.Pool // *gzip.Writer
	readers sync.Pool // *gzip.Reader
}

func (*gzipCompressor) Name() string { return CompressionGzip }

func (g *gzipCompressor) Compress(dst, src []byte) ([]byte, error) {
	out := bytes.NewBuffer(dst)
	w, ok := g.writers.Get().(*gzip.Writer)
	if !ok {
		w = gzip.NewWriter(out)
	} else {
		w.Reset(out)
	}
	defer g.writers.Put(w)
	if _, err := w.Write(src); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (g *gzipCompressor) Decompress(dst, src []byte, limit int) ([]byte, error) {
	in := bytes.NewReader(src)
	r, ok := g.readers.Get().(*gzip.Reader)
	var err error
	if ok {
		err = r.Reset(in)
	} else {
		r, err = gzip.NewReader(in)
	}
	if err != nil {
		return nil, err
	}
	defer g.readers.Put(r)
	before := len(dst)
	out := bytes.NewBuffer(dst)
	if _, err := out.ReadFrom(io.LimitReader(&considerate{r: r, in: in}, int64(limit)+1)); err != nil {
		return dst, err
	}
	if out.Len()-before > limit {
		return out.Bytes()[:before], ErrInflatedTooLarge // its memory can be used again
	}
	return out.Bytes(), nil
}

// considerate reads what is inflated in pieces. To inflate 4 MiB takes many
// milliseconds, of messages that may be a few KiB on the wire. Small calls do not
// wait for that: only every other processor inflates at a time, and others have
// their turn between pieces. What inflates like a bomb pauses there.
type considerate struct {
	r    io.Reader
	in   *bytes.Reader // that r reads
	size int           // inflated bytes
}

func (c *considerate) Read(p []byte) (int, error) {
	const piece = 32 << 10
	const bomb = 50 // times its size; text seldom inflates to 20 times
	if len(p) <= piece {
		return c.r.Read(p)
	}
	inflating <- struct{}{}
	n, err := c.r.Read(p[:piece])
	<-inflating
	if c.size += n; c.size > bomb*int(c.in.Size()-int64(c.in.Len())) {
		time.Sleep(100 * time.Microsecond)
	} else {
		runtime.Gosched()
	}
	return n, err
}

var inflating = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))
