package command

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"unicode/utf16"
	"unicode/utf8"
)

// The marks with which editors, and PowerShell, begin a text to say how it is
// encoded.
var (
	markUTF8    = []byte{0xef, 0xbb, 0xbf} // Byte order marks, which editors and PowerShell write at the beginning of a text.
	markUTF16LE = []byte{0xff, 0xfe}
	markUTF16BE = []byte{0xfe, 0xff}
)

// textReader returns a text as UTF-8 without its byte order mark. A text
// without a mark is UTF-8. It reads no more than it needs, so typed input
// passes as it comes.
func textReader(r io.Reader) io.Reader { return &input{in: bufio.NewReader(r)} }

// input is a text whose byte order mark selects its encoding.
type input struct {
	in  *bufio.Reader
	out io.Reader // nil: nothing has been read
}

func (t *input) Read(p []byte) (int, error) {
	if t.out == nil {
		t.out = t.decoded()
	}
	return t.out.Read(p)
}

func (t *input) decoded() io.Reader {
	first, err := t.in.Peek(1)
	if err != nil || first[0] < utf8.RuneSelf {
		return t.in
	}
	for _, mark := range [][]byte{markUTF8, markUTF16LE, markUTF16BE} {
		if first[0] != mark[0] {
			continue
		}
		if got, _ := t.in.Peek(len(mark)); !bytes.Equal(got, mark) {
			break
		}
		_, _ = t.in.Discard(len(mark)) // they were there
		switch mark[0] {
		case markUTF16LE[0]:
			return &utf16Reader{in: t.in, order: binary.LittleEndian}
		case markUTF16BE[0]:
			return &utf16Reader{in: t.in, order: binary.BigEndian}
		}
	}
	return t.in
}

// utf16Reader converts UTF-16 to UTF-8.
type utf16Reader struct {
	in    *bufio.Reader
	order binary.ByteOrder
	rest  []byte // encoded bytes that are not yet read
}

func (r *utf16Reader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		first, err := r.unit()
		if err != nil {
			return 0, err
		}
		if utf16.IsSurrogate(first) {
			second, err := r.unit()
			if err != nil {
				second = utf8.RuneError
			}
			first = utf16.DecodeRune(first, second)
		}
		r.rest = utf8.AppendRune(r.rest[:0], first)
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *utf16Reader) unit() (rune, error) {
	var unit [2]byte
	if _, err := io.ReadFull(r.in, unit[:]); err != nil {
		return 0, err
	}
	return rune(r.order.Uint16(unit[:])), nil
}

// readFile returns the text in a file that a flag names.
func readFile(flag, file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, usagef("%s: %w", flag, err)
	}
	defer f.Close() //nolint:errcheck // it is only read
	text, err := io.ReadAll(textReader(f))
	if err != nil {
		return nil, usagef("%s: %w", flag, err)
	}
	return text, nil
}
