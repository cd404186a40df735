package conformance

import (
	"fmt"
	"strings"
)

// Groups are the groups of cases, in the order of the document, and what each
// covers.
func Groups() [][2]string {
	return [][2]string{
		{"handshake", "section 3: requests, answers, credentials, Retry-After, refusals after the upgrade"},
		{"hello", "sections 5, 9, 12.3, 14.2: settings, HELLO in time, keepalive, close codes, broken framing, fragments"},
		{"streams", "section 6: states of a stream that the implementation opens or serves, max_streams"},
		{"flow", "section 7 and 13: credit in both directions, limits of messages and headers"},
		{"resume", "section 8: cuts at every byte of frames in both directions, tokens, attempts, ACK, windows, deadlines while detached"},
		{"drain", "section 10: notice and final GOAWAY, both roles"},
		{"calls", "section 11 and 14.9: the four kinds, served; malformed calls"},
		{"caller", "section 11 and 14.9: the four kinds, called; malformed answers"},
		{"status", "sections 11.7, 12.2, 12.3: all statuses, details, RESET codes, close codes"},
		{"metadata", "section 11.5: OPEN, HEADER and END, binary, reserved and malformed pairs, 256 of them"},
		{"codec", "section 11.6: proto, json, gzip"},
		{"deadline", "section 11.4: at both ends"},
		{"cancel", "section 11.4: at both ends, and frames that cross"},
		{"vector-handshake", "vectors/handshake.json"},
		{"vector-malformed", "vectors/malformed.json: every row of 14.3 and 14.4"},
		{"vector-session", "vectors/session.json, where calls can make the states"},
		{"vector-states", "vectors/states.json, where calls can make the states"},
	}
}

// Table returns the table of docs/conformance.md: for each group and
// implementation, how many of the cases that apply have passed.
func Table(reports []*Report) (string, error) {
	cases, err := Cases()
	if err != nil {
		return "", err
	}
	total := make(map[string]int)
	for _, c := range cases {
		total[c.Group]++
	}
	var b strings.Builder
	b.WriteString("| group | covers | cases |")
	for _, r := range reports {
		fmt.Fprintf(&b, " %s |", r.Implementation)
	}
	b.WriteString("\n|---|---|---|" + strings.Repeat("---|", len(reports)) + "\n")
	known := 0
	for _, g := range Groups() {
		fmt.Fprintf(&b, "| %s | %s | %d |", g[0], g[1], total[g[0]])
		known += total[g[0]]
		for _, r := range reports {
			fmt.Fprintf(&b, " %s |", r.cell(g[0]))
		}
		b.WriteString("\n")
	}
	if known != len(cases) {
		return "", fmt.Errorf("%d of %d cases are in no group of the table", len(cases)-known, len(cases))
	}
	return b.String(), nil
}

// cell says how many cases of a group have passed, of those that apply.
func (r *Report) cell(group string) string {
	passed, applies := 0, 0
	for _, c := range r.Results {
		if name, _, _ := strings.Cut(c.Case, "/"); name == group {
			applies++
			if c.Failure == "" {
				passed++
			}
		}
	}
	if applies == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d", passed, applies)
}
