package conformance

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/parley-rpc/parley/docs/spec/vectors"
)

// vector is a case of the test vectors: the members that the kit uses.
type vector struct {
	Name, Side, Rule, Needs, From string
	Hex                           string
	Code, Status, Caller          int
	MaxFrame                      uint64 `json:"max_frame"`
	Settings                      map[string]uint64
	Steps                         []vectorStep
	Expect                        struct {
		Close   int
		Pong    string
		Resets  []struct{ Stream, Code uint64 }
		Hello   map[string]any
		Sent    []string
		Streams []any
	}

	Speaks, Offered             []string
	Authorization, Host, Origin string
	ForwardedProto              string `json:"forwarded_proto"`
	Selected, Versions, Outcome string
}

type vectorStep struct {
	Receive, Behind, Do, Token string
	Zeros, Times               int
	Received, Attempt          *uint64
	Code                       int
}

// script is a case that is made of a vector.
type script struct {
	v    *vector
	text []string
	lost bool // the link has ended
}

func (s *script) addf(format string, args ...any) {
	s.text = append(s.text, fmt.Sprintf(format, args...))
}

// vectorCases makes cases of the vectors. Those are left out that need an
// application below calls, which opens streams of any content.
func vectorCases() (cases []Case, err error) {
	for _, file := range []struct {
		name string
		make func(*vector) map[string]*script
	}{
		{"malformed", malformedScripts},
		{"session", sessionScripts},
		{"states", sessionScripts},
		{"handshake", handshakeScripts},
	} {
		text, err := vectors.Files.ReadFile(file.name + ".json")
		if err != nil {
			return nil, err
		}
		var list []vector
		if err := json.Unmarshal(text, &list); err != nil {
			return nil, fmt.Errorf("%s.json: %w", file.name, err)
		}
		for i := range list {
			scripts := file.make(&list[i])
			for _, role := range []string{Dialer, Acceptor} {
				s := scripts[role]
				if s == nil {
					continue
				}
				spec := list[i].Rule
				if spec == "" {
					spec = "6.5"
				}
				s.text = append([]string{"case " + list[i].Name, "spec " + spec, "role " + role}, s.text...)
				of, err := parseCases("vector-"+file.name, strings.Join(s.text, "\n"))
				if err != nil {
					return nil, fmt.Errorf("%s.json, %s: %w", file.name, list[i].Name, err)
				}
				cases = append(cases, of...)
			}
		}
	}
	return cases, nil
}

func malformedScripts(v *vector) map[string]*script {
	scripts := make(map[string]*script)
	for role, from := range map[string]string{Dialer: "acceptor", Acceptor: "dialer"} {
		if v.From != "" && v.From != from {
			continue
		}
		s := &script{v: v}
		if v.MaxFrame != 0 {
			s.addf("settings max_frame=%d", v.MaxFrame)
		}
		if v.MaxFrame > 65_536 {
			s.addf("needs large-frames")
		}
		if !strings.HasPrefix(v.Hex, "01") {
			s.addf("> hello")
			if role == Acceptor {
				s.addf("> open p1 a/b")
			}
		}
		s.addf("> raw %s", v.Hex)
		s.addf("< close %d", v.Code)
		scripts[role] = s
	}
	return scripts
}

// sessionScripts makes a case for the side that the vector is about and, where
// that is an acceptor that only reads, one for a dialer with the ids exchanged:
// apart from HELLO the two ends do not differ.
func sessionScripts(v *vector) map[string]*script {
	dos, resumes := make(map[string]bool), v.Needs != ""
	for _, s := range v.Steps {
		dos[s.Do] = true
	}
	if v.Rule == "W1" && v.Expect.Resets != nil {
		return nil // an implementation may give more credit at once; cases/flow.txt takes that into account
	}
	for _, do := range []string{"open", "end", "announce", "goaway", "retire"} {
		if dos[do] {
			return nil
		}
	}
	scripts := map[string]*script{v.Side: sessionScript(v, func(b []byte) []byte { return b })}
	plain := v.Side == Acceptor && !resumes && v.Expect.Hello == nil
	if plain {
		scripts[Dialer] = sessionScript(v, mirrored)
	}
	return scripts
}

func sessionScript(v *vector, change func([]byte) []byte) *script {
	s := &script{v: v}
	var settings []string
	for name, n := range v.Settings {
		settings = append(settings, fmt.Sprintf("%s=%d", name, n))
	}
	if len(settings) > 0 {
		slices.Sort(settings)
		s.addf("settings %s", strings.Join(settings, " "))
	}
	for _, step := range v.Steps {
		s.step(step, change)
	}
	switch e := v.Expect; {
	case e.Close != 0:
		s.addf("< close %d", e.Close)
	case e.Hello != nil:
		var want string
		for name, value := range e.Hello {
			want += fmt.Sprintf(" %s=%v", name, value)
		}
		s.addf("< hello%s", want)
	case e.Pong != "":
		s.addf("< pong %s", e.Pong)
	default:
		for _, r := range e.Resets {
			id := r.Stream
			if changed := change(appendVarint([]byte{typeEnd}, id)); len(changed) > 1 {
				if mirror, _, err := cutVarint(changed[1:]); err == nil {
					id = mirror
				}
			}
			s.addf("< reset %d %d", id, r.Code)
		}
		s.addf("< alive")
	}
	return s
}

func (s *script) step(step vectorStep, change func([]byte) []byte) {
	id := "resume"
	if step.Token == "first" {
		id = "resume-first"
	}
	switch step.Do {
	case "":
		msg, err := hex.DecodeString(step.Receive)
		if err != nil {
			panic(err) // the tests of the vectors read them too
		}
		s.addf("> raw %x zeros=%d times=%d behind=%s", change(msg), step.Zeros, max(step.Times, 1), step.Behind)
	case "lose":
		s.addf("< alive") // what was sent has been acted upon
		s.addf("> cut")
		s.lost = true
	case "close":
		s.addf("< alive")
		s.addf("> close %d", step.Code)
		s.lost = true
	case "resume":
		s.relink()
		line := fmt.Sprintf("> hello %s", id)
		if step.Received != nil {
			line += fmt.Sprintf(" received=%d", *step.Received)
		}
		if step.Attempt != nil {
			line += fmt.Sprintf(" attempt=%d", *step.Attempt)
		} else {
			line += " attempt=0"
		}
		s.addf("%s", line)
		if step.Behind != "" {
			s.addf("+ raw %s", step.Behind)
		}
	case "replace":
		s.relink()
		s.addf("> hello replace%s resume_window=30000", map[bool]string{true: "-wrong"}[step.Token == "wrong"])
	}
}

// relink makes the next link, if need be while the other one is there.
func (s *script) relink() {
	if !s.lost {
		s.addf("< alive")
	}
	s.addf("> link")
	s.lost = false
}

// mirrored exchanges odd and even ids in a link message, as far as it is well
// formed.
func mirrored(msg []byte) (out []byte) {
	for rest := msg; len(rest) > 1; {
		id, behind, err := cutVarint(rest[1:])
		if err != nil {
			return append(out, rest...)
		}
		size, behind, err := cutVarint(behind)
		if err != nil {
			// A frame without a length is only an id.
			return appendVarint(append(out, rest[0]), mirroredID(id))
		}
		end := len(rest) - len(behind)
		out = appendVarint(append(out, rest[0]), mirroredID(id))
		out = appendVarint(out, size)
		body := min(int(size), len(behind)) // zeros may follow
		out = append(out, behind[:body]...)
		rest = rest[end+body:]
	}
	return out
}

func mirroredID(id uint64) uint64 {
	switch {
	case id == 0:
		return 0
	case id%2 == 1:
		return id + 1
	}
	return id - 1
}

func handshakeScripts(v *vector) map[string]*script {
	s := &script{v: v}
	if v.Side == Dialer {
		if slices.ContainsFunc(v.Offered, func(o string) bool { return strings.Contains(o, "parley.bearer.") }) {
			s.addf("bearer s3cret-token")
		}
		selected := v.Selected
		if selected == "" {
			selected = "-"
		}
		s.addf(`! call c1 Unary {"text":"hi"}`)
		if v.Outcome == "open" {
			s.addf("> link select=%s", selected)
			s.addf("> hello")
			s.addf("< open i1 Unary")
			s.addf("lenient")
			return map[string]*script{Dialer: s}
		}
		versions := ""
		if v.Versions != "" {
			versions = " header.Parley-Versions=" + v.Versions
		}
		s.addf("> serve always status=%d select=%s%s", v.Status, selected, versions)
		if v.Status == 101 {
			s.addf("< end-of-link")
		}
		s.addf("? call c1 status=%d", v.Caller)
		return map[string]*script{Dialer: s}
	}
	if !slices.Equal(v.Speaks, []string{"parley.v1"}) {
		return nil
	}
	request := "> request"
	for _, o := range v.Offered {
		request += fmt.Sprintf(" offer=%q", o)
	}
	if len(v.Offered) == 0 {
		request += " offer=-"
	}
	for name, value := range map[string]string{
		"Authorization": v.Authorization, "Host": v.Host, "Origin": v.Origin, "X-Forwarded-Proto": v.ForwardedProto,
	} {
		if value != "" {
			// The acceptor is on the loopback interface, where only such names are its own.
			request += fmt.Sprintf(" header.%s=%q", name, strings.ReplaceAll(value, "api.example.com", "localhost"))
		}
	}
	s.addf("%s", request)
	s.addf("< http %d header.Sec-WebSocket-Protocol=%s header.Parley-Versions=%s", v.Status, v.Selected, v.Versions)
	return map[string]*script{Acceptor: s}
}
