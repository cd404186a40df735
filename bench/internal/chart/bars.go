package chart

// Bars is a chart that compares amounts, in groups.
type Bars struct {
	Title  string
	Series []string
	Groups []BarGroup
	Format func(float64) string
}

// BarGroup is a group of amounts that are compared with each other.
type BarGroup struct {
	Name   string
	Values []float64 // of each series; 0 is none, and takes no space
	Mark   float64   // the goal, or 0
}

const (
	barHeight = 16
	barRow    = 21
	groupHead = 30
)

// SVG draws the chart. Each group has its own scale.
func (b Bars) SVG() []byte {
	height := 44.0 + margin
	for _, g := range b.Groups {
		height += groupHead + barRow*float64(len(present(g.Values)))
	}
	c, y := newCanvas(height, b.Title)
	for _, g := range b.Groups {
		const left, right = 120, width - margin - 60
		c.text("text", margin, y+18, start, g.Name)
		y += groupHead
		x := axis{from: left, to: right, high: maximum(append(present(g.Values), g.Mark)), scale: linear}
		bottom := y + barRow*float64(len(present(g.Values))) - (barRow - barHeight)
		for i, v := range g.Values {
			if v == 0 {
				continue
			}
			c.text("text", left-10, y+12.5, end, b.Series[i])
			c.printf(`<rect class="%s bar" x="%d" y="%s" width="%s" height="%d" rx="2"/>`+"\n",
				class(i), left, px(y), px(max(x.at(v)-left, 1)), barHeight)
			c.text("dim", x.at(v)+6, y+12.5, start, b.Format(v))
			y += barRow
		}
		if g.Mark > 0 {
			c.line("mark", x.at(g.Mark), bottom-barRow*float64(len(present(g.Values)))+2, x.at(g.Mark), bottom+3)
		}
	}
	return c.done()
}

func present(values []float64) (some []float64) {
	for _, v := range values {
		if v != 0 {
			some = append(some, v)
		}
	}
	return some
}
