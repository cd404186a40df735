package pipe

import (
	"errors"
	"io"
)

// errStale is returned by a reader that is used after the next NextReader. The
// reader of a WebSocket would return bytes of another message then.
var errStale = errors.New("pipe: reader used after the next call of NextReader")

// reader reads one message.
type reader struct {
	data []byte
	end  error // what follows data instead of io.EOF
}

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.data) > 0 {
		n := copy(p, r.data)
		r.data = r.data[n:]
		return n, nil
	}
	if r.end != nil {
		return 0, r.end
	}
	return 0, io.EOF
}
