package chart

import (
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Dots is a dot plot, a row for each library.
type Dots struct {
	Title, Subtitle string
	Rows            []Row // from above
}

const rowHeight = 22 * vg.Length(1)

// Write writes it as SVG.
func (d Dots) Write(w io.Writer) error {
	const axis = 28 // its height
	s := newSheet(head+rowHeight*vg.Length(len(d.Rows))+axis+margin, d.Title, d.Subtitle)

	p := newPlot()
	p.HideY()
	p.X.Scale = plot.LogScale{}
	p.X.Tick.Marker = scale{duration}
	p.X.Padding = 0
	p.X.Min, p.X.Max = d.bounds()
	p.Y.Min, p.Y.Max = 0, float64(len(d.Rows))
	p.Add(d)

	names := vg.Length(0)
	for _, r := range d.Rows {
		names = max(names, nameWidth(r.Name, r.Mark))
	}
	// The axis is as wide as what is left beside the names and the last value.
	c := draw.Crop(s.Canvas, 2*margin+names, -5*margin, margin, -head)
	p.Draw(c)

	data := p.DataCanvas(c)
	_, y := p.Transforms(&data)
	for i, r := range d.Rows {
		s.FillText(nameStyle(r.Mark), vg.Point{X: margin, Y: y(d.row(i))}, r.Name)
	}
	return s.write(w)
}

// row returns where row i is on the y axis.
func (d Dots) row(i int) float64 { return float64(len(d.Rows)-i) - 0.5 }

// bounds returns the ends of the x axis.
func (d Dots) bounds() (lo, hi float64) {
	lo, hi = math.Inf(1), 0
	for _, r := range d.Rows {
		for _, v := range r.ends() {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	return lo / 1.15, hi * 1.1
}

// Plot draws the rows. It is called by package plot.
func (d Dots) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for _, t := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
		if !t.IsMinor() {
			c.StrokeLine2(draw.LineStyle{Color: grid, Width: 0.6}, x(t.Value), c.Min.Y, x(t.Value), c.Max.Y)
		}
	}
	for i, r := range d.Rows {
		at := vg.Point{X: x(r.Mid), Y: y(d.row(i))}
		color := colors[r.Mark]
		c.StrokeLine2(draw.LineStyle{Color: grid, Width: 0.6, Dashes: []vg.Length{1.5, 2}}, c.Min.X, at.Y, at.X, at.Y)
		ends := r.ends()
		whisker := draw.LineStyle{Color: color, Width: 1.6}
		if ends[0] < ends[1] {
			c.StrokeLine2(whisker, x(ends[0]), at.Y, x(ends[1]), at.Y)
			for _, end := range ends {
				c.StrokeLine2(whisker, x(end), at.Y-3, x(end), at.Y+3)
			}
		}
		radius := vg.Length(4)
		if r.Mark == Ours {
			radius = 5
		}
		c.DrawGlyph(draw.GlyphStyle{Color: color, Radius: radius, Shape: draw.CircleGlyph{}}, at)
		if r.Mark == Floor {
			c.DrawGlyph(draw.GlyphStyle{Color: white, Radius: radius - 1.4, Shape: draw.CircleGlyph{}}, at)
		}
		value := style(11, r.Mark == Ours, faint)
		if r.Mark == Ours {
			value.Color = color
		}
		c.FillText(value, vg.Point{X: max(x(ends[1]), at.X+radius) + 6, Y: at.Y}, duration(r.Mid))
	}
}
