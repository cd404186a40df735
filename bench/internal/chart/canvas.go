// Package chart draws small charts as SVG. They can be read on light and dark
// pages, and are the same text for the same figures.
package chart

import (
	"fmt"
	"html"
	"strings"
)

// style follows the reader's preference for light or dark. The chart has its
// own background, so it is readable on a page that ignores the preference.
const style = `<style>
.ground{fill:#ffffff}.text{fill:#1f2328}.dim{fill:#59636e}
.grid{stroke:#d1d9e0;stroke-width:1}.axis{stroke:#818b98;stroke-width:1.5}.mark{stroke:#1f2328;stroke-width:2}
.c0{fill:#0969da;stroke:#0969da}.c1{fill:#6e7781;stroke:#6e7781}.c2{fill:#e08a00;stroke:#e08a00}
.c3{fill:#1a9e6b;stroke:#1a9e6b}.c4{fill:#c2559c;stroke:#c2559c}.c5{fill:#cf3f1d;stroke:#cf3f1d}.c6{fill:#7a5bd0;stroke:#7a5bd0}
.c7{fill:#1198a8;stroke:#1198a8}.c8{fill:#7d8a12;stroke:#7d8a12}.c9{fill:#8a5a2b;stroke:#8a5a2b}
.dot{stroke:#ffffff;stroke-width:1}.line{fill:none;stroke-width:2}.bar{stroke:none}.spread{stroke-width:1.5}
@media (prefers-color-scheme:dark){
.ground{fill:#0d1117}.text{fill:#f0f6fc}.dim{fill:#9198a1}
.grid{stroke:#2f353d}.axis{stroke:#656c76}.mark{stroke:#f0f6fc}
.c0{fill:#4493f8;stroke:#4493f8}.c1{fill:#9aa4af;stroke:#9aa4af}.c2{fill:#f0a93a;stroke:#f0a93a}
.c3{fill:#3fb98a;stroke:#3fb98a}.c4{fill:#e084bd;stroke:#e084bd}.c5{fill:#f4775a;stroke:#f4775a}.c6{fill:#a48cf0;stroke:#a48cf0}
.c7{fill:#3fc0d0;stroke:#3fc0d0}.c8{fill:#b3c242;stroke:#b3c242}.c9{fill:#c4925f;stroke:#c4925f}
.dot{stroke:#0d1117}.line{fill:none}.bar{stroke:none}}
</style>
`

// colours is the number of the classes c0, c1 and so on.
const colours = 10

// canvas is an SVG under construction.
type canvas struct {
	strings.Builder
	height float64
}

const (
	width  = 760 // of all charts, in pixels
	margin = 16
)

// newCanvas returns a canvas with the title, for eyes and for screen readers,
// and the position below it.
func newCanvas(height float64, title string) (c *canvas, top float64) {
	c = &canvas{height: height}
	c.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%s" viewBox="0 0 %d %s" role="img" `,
		width, px(height), width, px(height))
	c.printf(`font-family="system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif" font-size="12">`+"\n<title>%s</title>\n", html.EscapeString(title))
	c.WriteString(style)
	c.printf(`<rect class="ground" width="%d" height="%s" rx="6"/>`+"\n", width, px(height))
	c.printf(`<text class="text" x="%d" y="28" font-size="15" font-weight="600">%s</text>`+"\n", margin, html.EscapeString(title))
	return c, 44
}

func (c *canvas) printf(format string, args ...any) { fmt.Fprintf(c, format, args...) }

// px formats a coordinate. A tenth of a pixel is all that can be seen.
func px(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") }

// anchor is which point of a text its position is.
type anchor string

const (
	start  anchor = "start"
	middle anchor = "middle"
	end    anchor = "end"
)

func (c *canvas) text(class string, x, y float64, a anchor, text string) {
	c.printf(`<text class="%s" x="%s" y="%s" text-anchor="%s">%s</text>`+"\n", class, px(x), px(y), a, html.EscapeString(text))
}

func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	c.printf(`<line class="%s" x1="%s" y1="%s" x2="%s" y2="%s"/>`+"\n", class, px(x1), px(y1), px(x2), px(y2))
}

// dot draws a point. Its title appears when a pointer rests on it.
func (c *canvas) dot(colour int, x, y, radius float64, says string) {
	c.printf(`<circle class="%s dot" cx="%s" cy="%s" r="%s"><title>%s</title></circle>`+"\n",
		class(colour), px(x), px(y), px(radius), html.EscapeString(says))
}

func class(colour int) string { return fmt.Sprintf("c%d", colour%colours) }

// key is an entry of a legend.
type key struct {
	colour int
	name   string
}

// width returns how much of a row of the legend the entry takes, by an estimate
// of the width of letters.
func (k key) width() float64 { return 17 + 7*float64(len(k.name)) + 18 }

const (
	legendRow = 20
	legendGap = 8 // below it
)

// legendHeight returns the height of a legend.
func legendHeight(keys []key) float64 {
	return new(canvas).legend(0, keys)
}

// legend names the colours, in as many rows as that needs, and returns the
// position below it.
func (c *canvas) legend(top float64, keys []key) float64 {
	x := float64(margin)
	for _, k := range keys {
		if x > margin && x+k.width() > width {
			x = margin
			top += legendRow
		}
		c.printf(`<rect class="%s bar" x="%s" y="%s" width="12" height="12" rx="3"/>`+"\n", class(k.colour), px(x), px(top))
		c.text("text", x+17, top+10.5, start, k.name)
		x += k.width()
	}
	return top + legendRow + legendGap
}

// done returns the SVG.
func (c *canvas) done() []byte {
	c.WriteString("</svg>\n")
	return []byte(c.String())
}
