package rpc

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Compressor compresses single messages. It must be safe for concurrent use.
type Compressor interface {
	// Name returns the compression's name on the wire.
	Name() string
	// Compress appends the compressed src to dst.
	Compress(dst, src []byte) ([]byte, error)
	// Decompress appends the inflated src to dst. It returns
	// ErrInflatedTooLarge as soon as that is more than limit bytes.
	Decompress(dst, src []byte, limit int) ([]byte, error)
}

// CompressionGzip is the built-in compression.
const CompressionGzip = "gzip"

// ErrInflatedTooLarge means that a compressed message exceeds the limit for
// messages when inflated.
var ErrInflatedTooLarge = errors.New("inflated message over the limit")

func defaultCompressors() map[string]Compressor {
	return map[string]Compressor{CompressionGzip: newGzipCompressor()}
}

type gzipCompressor struct {
	writers sync.Pool     // *gzip.Writer
	readers sync.Pool     // *gzip.Reader
	bomb    chan struct{} // holds a token while a message inflates that may be a bomb
}

func newGzipCompressor() *gzipCompressor {
	return &gzipCompressor{bomb: make(chan struct{}, 1)}
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
	return readAll(dst, &yieldingReader{r: r, in: in, bomb: g.bomb}, limit)
}

// guess returns the inflated size that src claims, 0 if it is impossible.
func (*gzipCompressor) guess(src []byte) int {
	const size, frame, ratio = 4, 18, 1032 // bytes of the size at the end, and of an empty file; what deflate reaches
	if len(src) < frame {
		return 0
	}
	guess := uint64(binary.LittleEndian.Uint32(src[len(src)-size:]))
	if guess > ratio*uint64(len(src)) {
		return 0
	}
	return int(guess)
}

// readAll appends everything from r to dst. Memory grows by doubling, up to
// limit bytes.
func readAll(dst []byte, r io.Reader, limit int) ([]byte, error) {
	before := len(dst)
	most := before + limit
	var probe [1]byte
	for {
		room := probe[:]
		if len(dst) < most {
			if len(dst) == cap(dst) {
				dst = slices.Grow(dst, min(max(len(dst)-before, bytes.MinRead), most-len(dst)))
			}
			room = dst[len(dst):min(cap(dst), most)]
		}
		n, err := r.Read(room)
		if len(dst)+n > most {
			return dst[:before], ErrInflatedTooLarge // its memory can be reused
		}
		dst = dst[:len(dst)+n]
		switch {
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return dst[:before], err
		}
	}
}

// yieldingReader inflates in pieces. Inflating 4 MiB takes many milliseconds,
// for a message that may have a few KiB on the wire. Small calls should not
// wait for that: only half of the processors inflate at a time, and the reader
// yields between pieces. All messages of an endpoint that inflate like a bomb
// share one token, which is held during a pause after each piece too: together
// they use a quarter of a processor.
type yieldingReader struct {
	r    io.Reader
	in   *bytes.Reader // that r reads
	size int           // inflated bytes
	bomb chan struct{} // the token of messages that inflate like a bomb
}

func (c *yieldingReader) Read(p []byte) (int, error) {
	const piece = 32 << 10
	p = p[:min(len(p), piece)]
	switch {
	case c.size < piece: // small messages do not wait
		return c.read(p)
	case c.inflatesLikeABomb():
		c.bomb <- struct{}{}
		defer func() { <-c.bomb }()
		began := time.Now()
		n, err := c.inTurn(p)
		time.Sleep(max(3*time.Since(began), 100*time.Microsecond)) // the clock may be coarse
		return n, err
	default:
		n, err := c.inTurn(p)
		runtime.Gosched()
		return n, err
	}
}

// inflatesLikeABomb reports whether the message has far more bytes than text
// would have.
func (c *yieldingReader) inflatesLikeABomb() bool {
	const bomb = 50 // times its size; text seldom inflates to 20 times
	return c.size > bomb*int(c.in.Size()-int64(c.in.Len()))
}

func (c *yieldingReader) inTurn(p []byte) (int, error) {
	inflating <- struct{}{}
	defer func() { <-inflating }()
	return c.read(p)
}

func (c *yieldingReader) read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.size += n
	return n, err
}

var inflating = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))
