package chart

import (
	"fmt"
	"math"
)

// Dots is a chart that compares series in many respects, on a logarithmic
// scale.
type Dots struct {
	Title  string
	Series []string // the first one stands out
	XName  string
	Rows   []DotRow
	Format func(float64) string // of a measured value
	Tick   func(float64) string // of a label of the axis
}

// DotRow is one respect.
type DotRow struct {
	Name   string
	Values []float64 // of each series; 0 is none
	Mark   float64   // the goal, or 0
}

// SVG draws the chart.
func (d Dots) SVG() []byte {
	const (
		left, right = 120, width - margin - 10
		row         = 26
	)
	var keys []key
	for i, name := range d.Series {
		keys = append(keys, key{i, name})
	}
	c, top := newCanvas(44+legendHeight(keys)+float64(len(d.Rows))*row+54, d.Title)
	top = c.legend(top, keys)
	bottom := top + float64(len(d.Rows))*row
	var values []float64
	for _, r := range d.Rows {
		for _, v := range append(r.Values, r.Mark, 1) {
			if v > 0 {
				values = append(values, v)
			}
		}
	}
	ticks := powers(append(values, 0.9, 1.1))
	x := axis{from: left, to: right, low: ticks[0], high: ticks[len(ticks)-1], scale: math.Log}
	for _, t := range ticks {
		kind := "grid"
		if t == 1 {
			kind = "axis"
		}
		c.line(kind, x.at(t), top, x.at(t), bottom)
		c.text("dim", x.at(t), bottom+16, middle, d.Tick(t))
	}
	c.text("dim", (left+right)/2, bottom+36, middle, d.XName)
	for i, r := range d.Rows {
		y := top + (float64(i)+0.5)*row
		c.line("grid", left, y, right, y)
		c.text("text", left-10, y+4, end, r.Name)
		if r.Mark > 0 {
			c.line("mark", x.at(r.Mark), y-9, x.at(r.Mark), y+9)
		}
		for s := len(r.Values) - 1; s >= 0; s-- { // the first one on top
			radius := 4.5
			if s == 0 {
				radius = 6.5
			}
			if v := r.Values[s]; v > 0 {
				c.dot(s, x.at(v), y, radius, fmt.Sprintf("%s, %s: %s", r.Name, d.Series[s], d.Format(v)))
			}
		}
	}
	return c.done()
}
