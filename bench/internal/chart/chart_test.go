package chart_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/bench/internal/chart"
)

func plain(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// elements fails unless svg is well-formed, and returns the attributes of its
// elements by their names.
func elements(t *testing.T, svg []byte) map[string][]map[string]string {
	t.Helper()
	found := make(map[string][]map[string]string)
	for d := xml.NewDecoder(strings.NewReader(string(svg))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
		if e, ok := token.(xml.StartElement); ok {
			attrs := make(map[string]string)
			for _, a := range e.Attr {
				attrs[a.Name.Local] = a.Value
			}
			found[e.Name.Local] = append(found[e.Name.Local], attrs)
		}
	}
}

func coordinate(t *testing.T, element map[string]string, name string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(element[name], 64)
	if err != nil {
		t.Fatalf("%s of %v: %v", name, element, err)
	}
	return v
}

func TestDotsLieInTheOrderOfTheirValues(t *testing.T) {
	svg := chart.Dots{
		Title: "a < b & c", Series: []string{"one", "two", "three"}, XName: "x", Format: plain, Tick: plain,
		Rows: []chart.DotRow{{Name: "row", Values: []float64{4, 1, 0}, Mark: 2}},
	}.SVG()
	dots := elements(t, svg)["circle"]
	if len(dots) != 2 {
		t.Fatalf("%d dots for two values", len(dots))
	}
	// The first series is drawn last.
	if four, one := coordinate(t, dots[1], "cx"), coordinate(t, dots[0], "cx"); four <= one {
		t.Errorf("4 is at %v, 1 at %v", four, one)
	}
}

func TestLinesStayWithinTheirChart(t *testing.T) {
	svg := chart.Lines{
		Title: "t", XName: "x", YName: "y", Format: plain, Tick: plain,
		Series: []chart.Line{
			{Name: "one", Colour: 0, Points: []chart.Point{{X: 1, Y: 5, Low: 4, High: 6}, {X: 100_000, Y: 70, Low: 60, High: 93}}},
			{Name: "two", Colour: 1, Points: []chart.Point{{X: 1, Y: 0, Low: 0, High: 0}}},
		},
	}.SVG()
	found := elements(t, svg)
	if len(found["path"]) != 2 || len(found["circle"]) != 3 {
		t.Errorf("%d lines and %d points", len(found["path"]), len(found["circle"]))
	}
	height := coordinate(t, found["svg"][0], "height")
	for _, l := range found["line"] {
		for _, y := range []string{"y1", "y2"} {
			if v := coordinate(t, l, y); v < 0 || v > height {
				t.Errorf("a line reaches %v", v)
			}
		}
	}
}

func TestBarsAreAsLongAsTheirValues(t *testing.T) {
	svg := chart.Bars{
		Title: "t", Series: []string{"one", "two", "three"}, Format: plain,
		Groups: []chart.BarGroup{{Name: "g", Values: []float64{10, 0, 20}, Mark: 15}},
	}.SVG()
	var lengths []float64
	for _, r := range elements(t, svg)["rect"] {
		if strings.Contains(r["class"], "bar") {
			lengths = append(lengths, coordinate(t, r, "width"))
		}
	}
	if len(lengths) != 2 || lengths[1] != 2*lengths[0] {
		t.Errorf("the bars of 10 and 20 are %v long", lengths)
	}
}

func TestChartsOfNothingAreWellFormed(t *testing.T) {
	elements(t, chart.Dots{Tick: plain, Format: plain}.SVG())
	elements(t, chart.Lines{Tick: plain, Format: plain}.SVG())
	elements(t, chart.Bars{Format: plain}.SVG())
}
