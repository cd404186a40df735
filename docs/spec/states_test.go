package spec_test

import (
	"regexp"
	"strings"
	"testing"
)

var (
	stateTable = regexp.MustCompile(`(?m)^\| from the (opener|accepting end) \|(.*)\|\n\|[-|]+\|\n((?:\|.*\|\n)+)`)
	ruleLink   = regexp.MustCompile(`\[([A-Z][0-9]+)\]`)
)

// TestTablesOfStatesAreTheirVectors compares the tables of section 6.5 with
// states.json: each cell is one case, and there are no other cases.
func TestTablesOfStatesAreTheirVectors(t *testing.T) {
	cases := make(map[string]sessionCase)
	for _, c := range load[sessionCase](t, "states") {
		cases[c.Name] = c
	}
	for _, table := range stateTable.FindAllStringSubmatch(protocol(t), -1) {
		states := cellsOf(table[2])
		for row := range strings.Lines(table[3]) {
			cells := cellsOf(strings.Trim(strings.TrimSpace(row), "|"))
			if len(cells) != len(states)+1 {
				t.Fatalf("%d cells for %d states: %s", len(cells)-1, len(states), row)
			}
			for i, state := range states {
				name := strings.ToLower(strings.ReplaceAll(table[1]+"-"+state+"-"+cells[0], " ", "-"))
				checkState(t, name, cells[i+1], cases[name])
				delete(cases, name)
			}
		}
	}
	for name := range cases {
		t.Errorf("%s is in no table", name)
	}
}

func cellsOf(row string) []string {
	cells := strings.Split(row, "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

// checkState compares a cell with its case.
func checkState(t *testing.T, name, cell string, c sessionCase) {
	t.Helper()
	if c.Expect == nil {
		t.Errorf("%s: no such case", name)
		return
	}
	rule := ""
	if m := ruleLink.FindStringSubmatch(cell); m != nil {
		rule = m[1]
	}
	outcome, _, _ := strings.Cut(cell, " ")
	got := "taken"
	switch {
	case c.Expect.Close == 1002:
		got = "1002"
	case len(c.Expect.Resets) > 0:
		got = "RESET"
	case c.Rule == "S4":
		got = "dropped"
	}
	if rule != c.Rule || outcome != got {
		t.Errorf("%s: the table says %s, the case %s %s", name, cell, got, c.Rule)
	}
}
