package command_test

import (
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf16"

	"github.com/parley-rpc/parley/cmd/parley/internal/command"
)

// encodings are the ways in which editors and shells write a text: PowerShell
// writes UTF-16, or UTF-8 with a mark.
var encodings = map[string]func(string) string{
	"UTF-8":                 func(s string) string { return s },
	"UTF-8 with a mark":     func(s string) string { return "\xef\xbb\xbf" + s },
	"UTF-16, little-endian": func(s string) string { return asUTF16(s, binary.LittleEndian) },
	"UTF-16, big-endian":    func(s string) string { return asUTF16(s, binary.BigEndian) },
}

func asUTF16(s string, order binary.AppendByteOrder) string {
	b := order.AppendUint16(nil, 0xfeff)
	for _, unit := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, unit)
	}
	return string(b)
}

// inFile writes a text into a file and returns its path.
func inFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a text.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRequestsAreReadHoweverTheyAreWritten(t *testing.T) {
	url := pingEndpoint(t)
	const requests = "{\"number\": 1}\r\n{\r\n\"number\": 4}\r\n"
	for name, encode := range encodings {
		file := inFile(t, encode(requests))
		for way, args := range map[string][]string{
			"typed": nil, "-d @": {"-d", "@"}, "-d @-": {"-d", "@-"}, "-d @FILE": {"-d", "@" + file}, "-d JSON": {"-d", encode(requests)},
		} {
			r := callPing(t, encode(requests), url, "Sum", append(args, "-o", "json")...)
			if r.exit != 0 || r.out != "{\"sum\":\"5\",\"count\":\"2\"}\n" {
				t.Errorf("%s, %s: exit code %d, %s%s", name, way, r.exit, r.out, r.err)
			}
		}
		text := inFile(t, encode("{\"text\": \"Grüße, 世界 \U0001f600\"}\r\n"))
		if r := callPing(t, "", url, "Ping", "-d", "@"+text, "-o", "json"); r.out != "{\"text\":\"Grüße, 世界 \U0001f600\"}\n" {
			t.Errorf("%s: %s%s", name, r.out, r.err)
		}
		bench := append([]string{"bench", url, "parley.ping.v1.PingService/Ping", "-d", "@" + text, "-n", "2", "-c", "1", "-o", "json"}, pingProto...)
		if r := run(t, bench...); r.exit != 0 {
			t.Errorf("%s: bench: %s%s", name, r.out, r.err)
		}
	}
}

func TestRequestsThatCannotBeReadAreNamed(t *testing.T) {
	url := pingEndpoint(t)
	callPing(t, "", url, "Ping", "-d", "@/no/such/file").wantFailure(t, 2, "-d: open /no/such/file")
	callPing(t, "", url, "Ping", "-d", "@"+t.TempDir()).wantFailure(t, 2, "request 1 is not JSON: ")
	callPing(t, "", url, "Ping", "-d", "\xef\xbb{}").wantFailure(t, 2, "request 1 is not JSON: ")
	callPing(t, "", url, "Ping", "-d", "\xff\xfe{").wantFailure(t, 2, "request 1 is not JSON: ")
	bench := append([]string{"bench", url, "parley.ping.v1.PingService/Ping", "-d", "@/no/such/file"}, pingProto...)
	run(t, bench...).wantFailure(t, 2, "-d: open /no/such/file")
}

// TestWhatIsTypedIsSentAtOnce, also after a byte order mark and in UTF-16: the
// program waits for no byte that it does not need.
func TestWhatIsTypedIsSentAtOnce(t *testing.T) {
	url := pingEndpoint(t)
	for name, encode := range encodings {
		stdin, typed := io.Pipe()
		printed, stdout := io.Pipe()
		done := make(chan int, 1)
		go func() {
			done <- command.Run(t.Context(), append([]string{"call", url, "parley.ping.v1.PingService/CumSum", "-o", "json"}, pingProto...),
				command.Streams{In: stdin, Out: stdout, Err: io.Discard})
			stdout.Close()
		}()
		if _, err := io.WriteString(typed, encode("{}")); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, len("{}\n"))
		if _, err := io.ReadFull(printed, answer); err != nil || string(answer) != "{}\n" {
			t.Errorf("%s: %q, %v", name, answer, err)
		}
		typed.Close()
		if exit := <-done; exit != 0 {
			t.Errorf("%s: exit code %d", name, exit)
		}
	}
}

func TestFilesOfFlagsAreReadHoweverTheyAreWritten(t *testing.T) {
	folder := t.TempDir()
	certify(t, folder, "gateway")
	for name, encode := range encodings {
		encoded := func(file string) string {
			text, err := os.ReadFile(filepath.Join(folder, file))
			if err != nil {
				t.Fatal(err)
			}
			return inFile(t, encode(string(text)))
		}
		g := serve(t, "gateway", "--listen", "127.0.0.1:0", "--backend", "localhost:1",
			"--cert", encoded("gateway.pem"), "--key", encoded("gateway.key"))
		r := run(t, "ping", g.url, "-n", "1", "--ca", encoded("gateway.pem"), "--server-name", "gateway.test",
			"--bearer", "@"+inFile(t, encode("secret\r\n")))
		if r.exit != 0 {
			t.Errorf("%s: %s", name, r.err)
		}
	}
}
