package frame

import "errors"

// ErrField says that a fields block is malformed: it has key 0, a key twice
// that may come only once, or a value that its key does not allow.
var ErrField = errors.New("frame: malformed fields block")

// Field is one entry of a fields block: a key and, depending on its parity, an
// integer (even keys) or bytes (odd keys).
type Field struct {
	Key   uint64
	Uint  uint64
	Bytes []byte // aliases the block
}

// AppendUintField appends an integer under an even key.
func AppendUintField(dst []byte, key, v uint64) []byte {
	return AppendVarint(AppendVarint(dst, key), v)
}

// AppendBytesField appends bytes under an odd key.
func AppendBytesField[T ~string | ~[]byte](dst []byte, key uint64, v T) []byte {
	dst = AppendVarint(AppendVarint(dst, key), uint64(len(v)))
	return append(dst, v...)
}

// ParseField reads the field at the start of b and returns what follows it.
func ParseField(b []byte) (f Field, rest []byte, err error) {
	var n int
	if f.Key, n, err = ParseVarint(b); err != nil {
		return Field{}, nil, payloadError(err)
	}
	if f.Key == 0 {
		return Field{}, nil, ErrField
	}
	b = b[n:]
	v, n, err := ParseVarint(b)
	if err != nil {
		return Field{}, nil, payloadError(err)
	}
	b = b[n:]
	if f.Key%2 == 0 {
		f.Uint = v
		return f, b, nil
	}
	if v > uint64(len(b)) {
		return Field{}, nil, ErrPayload
	}
	f.Bytes = b[:v:v]
	return f, b[v:], nil
}

// Once tracks which of the keys below 64 a block has had.
type Once uint64

// First reports whether this is the first call with key. It returns true for
// keys of 64 and above, which version 1 does not define.
func (o *Once) First(key uint64) bool {
	if key >= 64 {
		return true
	}
	bit := Once(1) << key
	seen := *o&bit != 0
	*o |= bit
	return !seen
}

// payloadError turns ErrIncomplete into ErrPayload: nothing can follow the end
// of a payload.
func payloadError(err error) error {
	if errors.Is(err, ErrIncomplete) {
		return ErrPayload
	}
	return err
}
