package chart

import (
	"fmt"
	"math"
	"strings"
)

// Lines is a chart that shows how series change with a quantity that grows by
// factors.
type Lines struct {
	Title, XName, YName string
	Series              []Line
	Format              func(float64) string // of a measured value
	Tick                func(float64) string // of a label of the axes
}

// Line is one series.
type Line struct {
	Name   string
	Colour int // the index of the series in other charts
	Points []Point
}

// Point is a median with the minimum and the maximum.
type Point struct{ X, Y, Low, High float64 }

// SVG draws the chart.
func (l Lines) SVG() []byte {
	const left, right, height = 76, width - margin - 20, 360
	c, top := newCanvas(height, l.Title)
	var xs, ys []float64
	var keys []key
	for _, s := range l.Series {
		keys = append(keys, key{s.Colour, s.Name})
		for _, p := range s.Points {
			xs, ys = append(xs, p.X), append(ys, p.High)
		}
	}
	top = c.legend(top, keys)
	bottom := float64(height - 54)
	c.text("dim", margin, top+4, start, l.YName)
	top += 18
	x := axis{from: left, to: right, low: minimum(xs), high: maximum(xs), scale: math.Log}
	ticks := steps(maximum(ys))
	y := axis{from: bottom, to: top, high: ticks[len(ticks)-1], scale: linear}
	for _, t := range ticks {
		c.line("grid", left, y.at(t), right, y.at(t))
		c.text("dim", left-8, y.at(t)+4, end, l.Tick(t))
	}
	c.line("axis", left, bottom, right, bottom)
	for _, v := range distinct(xs) {
		c.line("axis", x.at(v), bottom, x.at(v), bottom+4)
		c.text("dim", x.at(v), bottom+18, middle, l.Tick(v))
	}
	c.text("dim", (left+right)/2, bottom+38, middle, l.XName)
	for i := len(l.Series) - 1; i >= 0; i-- { // the first one on top
		c.series(l, l.Series[i], x, y)
	}
	return c.done()
}

func (c *canvas) series(l Lines, s Line, x, y axis) {
	var path strings.Builder
	for i, p := range s.Points {
		verb := "L"
		if i == 0 {
			verb = "M"
		}
		fmt.Fprintf(&path, "%s%s %s", verb, px(x.at(p.X)), px(y.at(p.Y)))
	}
	c.printf(`<path class="%s line" d="%s"/>`+"\n", class(s.Colour), path.String())
	for _, p := range s.Points {
		c.line(class(s.Colour)+" spread", x.at(p.X), y.at(p.Low), x.at(p.X), y.at(p.High))
		c.dot(s.Colour, x.at(p.X), y.at(p.Y), 4.5, fmt.Sprintf("%s at %s: %s", s.Name, l.Tick(p.X), l.Format(p.Y)))
	}
}
