package spec_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// bin is bytes that a vector writes as lower-case hex.
type bin []byte

func (b *bin) UnmarshalJSON(p []byte) error {
	var s string
	if err := json.Unmarshal(p, &s); err != nil {
		return err
	}
	if s != strings.ToLower(s) {
		return errors.New("hex in upper case")
	}
	var err error
	*b, err = hex.DecodeString(s)
	return err
}

type field struct {
	Key   uint64  `json:"key"`
	Value *uint64 `json:"value,omitempty"`
	Bytes *bin    `json:"bytes,omitempty"`
}

type frame struct {
	Type      string         `json:"type"`
	Flags     []string       `json:"flags"`
	Stream    uint64         `json:"stream"`
	Payload   bin            `json:"payload"`
	Sequenced bool           `json:"sequenced"`
	Cost      *uint64        `json:"cost"`
	Fields    []field        `json:"fields"`
	Hello     map[string]any `json:"hello"`
	GoAway    map[string]any `json:"goaway"`
	Code      *uint64        `json:"code"`
	Reason    *string        `json:"reason"`
	Limit     *uint64        `json:"limit"`
	Received  *uint64        `json:"received"`
	Head      *byte          `json:"head"`
	Skipped   bool           `json:"skipped"`
}

// named is the common members of all cases.
type named struct {
	Name string `json:"name"`
	Rule string `json:"rule"`
}

func (n named) id() (name, rule string) { return n.Name, n.Rule }

type varintCase struct {
	named
	Hex   bin     `json:"hex"`
	Value *uint64 `json:"value"`
	Error string  `json:"error"`
}

type fieldsCase struct {
	named
	Hex      bin      `json:"hex"`
	Fields   []field  `json:"fields"`
	Error    string   `json:"error"`
	Known    []uint64 `json:"known"`
	Repeated []uint64 `json:"repeated"`
}

type messageCase struct {
	named
	Hex    bin     `json:"hex"`
	Frames []frame `json:"frames"`
	From   string  `json:"from"`
}

type malformedCase struct {
	named
	Hex      bin    `json:"hex"`
	Code     int    `json:"code"`
	Stage    string `json:"stage"`
	MaxFrame uint64 `json:"max_frame"`
	From     string `json:"from"`
	Before   int    `json:"before"`
}

type sessionStep struct {
	Receive *bin `json:"receive"`
	Zeros   int  `json:"zeros"`
	Times   int  `json:"times"`
	Behind  bin  `json:"behind"`

	Do       string  `json:"do"`
	Stream   uint64  `json:"stream"`
	Received *uint64 `json:"received"`
	Attempt  *uint64 `json:"attempt"`
	Token    string  `json:"token"`
	Code     int     `json:"code"`
}

// message returns the link message that the peer sends.
func (s *sessionStep) message() (msg []byte) {
	for range max(s.Times, 1) {
		msg = append(append(msg, *s.Receive...), make([]byte, s.Zeros)...)
	}
	return append(msg, s.Behind...)
}

type sessionCase struct {
	named
	Side     string            `json:"side"`
	Needs    string            `json:"needs"`
	Settings map[string]uint64 `json:"settings"`
	Steps    []sessionStep     `json:"steps"`
	Expect   *struct {
		Close  int               `json:"close"`
		Resets []map[string]int  `json:"resets"`
		Pong   bin               `json:"pong"`
		Hello  map[string]uint64 `json:"hello"`
		Sent   []bin             `json:"sent"`

		Streams []struct {
			Stream   uint64 `json:"stream"`
			Messages []bin  `json:"messages"`
			Trailer  bin    `json:"trailer"`
		} `json:"streams"`
	} `json:"expect"`
}

type codecCase struct {
	named
	Codec string `json:"codec"`
	Hex   bin    `json:"hex"`
	Means *bin   `json:"means"`
}

type pair struct {
	Key   string `json:"key"`
	Value bin    `json:"value"`
}

type callBlock struct {
	Method         *string `json:"method"`
	Alias          *uint64 `json:"method_alias"`
	Codec          *string `json:"codec"`
	Timeout        *uint64 `json:"timeout"`
	Encoding       *string `json:"encoding"`
	AcceptEncoding *string `json:"accept_encoding"`
	Metadata       []pair  `json:"metadata"`
	Status         *uint64 `json:"status"`
	Message        *string `json:"message"`
	Details        []bin   `json:"details"`
}

type rpcCase struct {
	named
	Block       string     `json:"block"`
	Hex         bin        `json:"hex"`
	Fields      []field    `json:"fields"`
	Call        *callBlock `json:"call"`
	MeansStatus uint64     `json:"means_status"`
	Error       string     `json:"error"`
}

type handshakeCase struct {
	named
	Side              string   `json:"side"`
	Speaks            []string `json:"speaks"`
	Offered           []string `json:"offered"`
	Authorization     string   `json:"authorization"`
	Host              string   `json:"host"`
	Origin            string   `json:"origin"`
	ForwardedProto    string   `json:"forwarded_proto"`
	Status            int      `json:"status"`
	Selected          *string  `json:"selected"`
	SeesAuthorization string   `json:"sees_authorization"`
	Versions          string   `json:"versions"`
	Outcome           string   `json:"outcome"`
	Code              int      `json:"code"`
	Caller            int      `json:"caller"`
}

type exchangeCase struct {
	named
	From      string  `json:"from"`
	Kind      string  `json:"kind"`
	Text      string  `json:"text"`
	WebSocket bin     `json:"websocket"`
	Hex       bin     `json:"hex"`
	Frames    []frame `json:"frames"`
	Code      int     `json:"code"`
	Reason    string  `json:"reason"`
}

// load reads a file of vectors. Their cases must have no members besides those
// of Case.
func load[Case interface{ id() (name, rule string) }](t *testing.T, file string) []Case {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("vectors", file+".json"))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var cases []Case
	if err := d.Decode(&cases); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		t.Fatalf("%s: something follows the array", file)
	}
	if len(cases) == 0 {
		t.Fatalf("%s: no cases", file)
	}
	return cases
}

var kebab = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// check checks the cases of a file against the common rules of all files.
func check[Case interface{ id() (name, rule string) }](t *testing.T, file string, rows []string) {
	t.Helper()
	seen := make(map[string]bool)
	for _, c := range load[Case](t, file) {
		name, rule := c.id()
		if !kebab.MatchString(name) || seen[name] {
			t.Errorf("%s: name %q is malformed or comes twice", file, name)
		}
		seen[name] = true
		if rule != "" && !slices.Contains(rows, rule) {
			t.Errorf("%s/%s: PROTOCOL.md has no row %s", file, name, rule)
		}
	}
}

func TestVectorsFollowTheirSchema(t *testing.T) {
	rows := rowsOfMalformedInput(t)
	check[varintCase](t, "varint", rows)
	check[fieldsCase](t, "fields", rows)
	check[messageCase](t, "frames", rows)
	check[messageCase](t, "messages", rows)
	check[malformedCase](t, "malformed", rows)
	check[sessionCase](t, "session", rows)
	check[sessionCase](t, "states", rows)
	check[rpcCase](t, "rpc", rows)
	check[codecCase](t, "codec", rows)
	check[handshakeCase](t, "handshake", rows)
	check[exchangeCase](t, "exchange", rows)

	files, err := filepath.Glob(filepath.Join("vectors", "*.json"))
	if err != nil || len(files) != 11 {
		t.Errorf("%d files of vectors, 11 are checked: %v", len(files), err)
	}
}

func TestSessionVectorsSayWhatIsExpected(t *testing.T) {
	for _, c := range sessionCases(t) {
		if c.Expect == nil || len(c.Steps) == 0 || c.Side != "dialer" && c.Side != "acceptor" {
			t.Errorf("%s: side, steps or expect missing", c.Name)
		}
		if fails := c.Expect.Close != 0 || len(c.Expect.Resets) > 0; fails && c.Rule == "" {
			t.Errorf("%s: no rule", c.Name)
		}
		for i, s := range c.Steps {
			if (s.Receive == nil) == (s.Do == "") {
				t.Errorf("%s: step %d is not one of receive and do", c.Name, i)
			}
			if resume := s.Do == "resume" && c.Side == "acceptor"; resume != (s.Received != nil) {
				t.Errorf("%s: step %d: received belongs to a dialer that asks to resume", c.Name, i)
			}
		}
	}
}

// sessionCases returns the cases of session.json and states.json.
func sessionCases(t *testing.T) []sessionCase {
	t.Helper()
	return append(load[sessionCase](t, "session"), load[sessionCase](t, "states")...)
}

func TestCodecVectorsHaveAnOutcome(t *testing.T) {
	for _, c := range load[codecCase](t, "codec") {
		if (c.Means == nil) == (c.Rule == "") || c.Codec != "proto" && c.Codec != "json" {
			t.Errorf("%s: codec, or one of means and rule, missing", c.Name)
		}
	}
}

func TestHandshakeVectorsHaveAnOutcome(t *testing.T) {
	for _, c := range load[handshakeCase](t, "handshake") {
		acceptor := c.Side == "acceptor" && len(c.Speaks) > 0 && (c.Status == 101) == (c.Selected != nil) && c.Outcome == ""
		dialer := c.Side == "dialer" && (c.Outcome == "open" || c.Outcome == "fail" && c.Caller > 0 && c.Rule != "")
		if !acceptor && !dialer {
			t.Errorf("%s: incomplete", c.Name)
		}
	}
}
