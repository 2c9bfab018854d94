package chart

import (
	"image/color"
	"io"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Lines is a line chart. The lines are named where they end.
type Lines struct {
	Title, Subtitle string
	X               string // what is counted on the x axis
	Lines           []Line
}

// hues tell lines apart that cross each other; ours has its own color.
var hues = []color.Color{
	color.RGBA{0xb3, 0x5c, 0x1e, 0xff}, color.RGBA{0x4c, 0x8c, 0x4a, 0xff},
	color.RGBA{0x8a, 0x5a, 0xa8, 0xff}, color.RGBA{0xa8, 0x8b, 0x1f, 0xff},
	color.RGBA{0xb8, 0x4a, 0x62, 0xff}, color.RGBA{0x4a, 0x8f, 0x9c, 0xff},
	color.RGBA{0x7a, 0x6a, 0x58, 0xff}, color.RGBA{0x6b, 0x7a, 0x99, 0xff},
}

// Write writes it as SVG.
func (l Lines) Write(w io.Writer) error {
	const labelHeight = 15 * vg.Length(1)
	height := max(340, head+70+labelHeight*vg.Length(len(l.Lines)))
	s := newSheet(height, l.Title, l.Subtitle)

	p := newPlot()
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = scale{count}, scale{duration}
	p.X.Label.Text = l.X
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = l.bounds()
	p.Add(&plotter.Grid{
		Vertical: draw.LineStyle{Color: grid, Width: 0.5}, Horizontal: draw.LineStyle{Color: grid, Width: 0.5},
	})
	names := vg.Length(0)
	var ours []plot.Plotter // on top of the others
	for i, line := range l.Lines {
		names = max(names, nameWidth(line.Name, line.Mark))
		pl, points, err := plotter.NewLinePoints(line.Points)
		if err != nil {
			return err
		}
		pl.LineStyle = draw.LineStyle{Color: l.color(i), Width: 1.3}
		points.GlyphStyle = draw.GlyphStyle{Color: l.color(i), Radius: 2.4, Shape: draw.CircleGlyph{}}
		switch line.Mark {
		case Ours:
			pl.Width, points.Radius = 2.6, 3.6
		case Floor:
			pl.Dashes = []vg.Length{4, 3}
		}
		if line.Mark == Ours {
			ours = []plot.Plotter{pl, points}
			continue
		}
		p.Add(pl, points)
	}
	p.Add(ours...)
	const leader = 22 // from the end of a line to its name
	c := draw.Crop(s.Canvas, margin, -margin-names-leader, margin, -head)
	p.Draw(c)

	data := p.DataCanvas(c)
	x, y := p.Transforms(&data)
	last := func(i int) plotter.XY { return l.Lines[i].Points[len(l.Lines[i].Points)-1] }
	// Lines that end at the same place must share the room beside it.
	together := map[float64][]int{}
	for i := range l.Lines {
		together[last(i).X] = append(together[last(i).X], i)
	}
	for _, at := range slices.Sorted(maps.Keys(together)) {
		var ends []vg.Length
		for _, i := range together[at] {
			ends = append(ends, y(last(i).Y))
		}
		left, right := x(at)+4, x(at)+leader
		if at < p.X.Max { // closer, or the name might reach the next points of others
			right = x(at) + leader/2
		}
		for k, label := range spread(ends, labelHeight, data.Min.Y, data.Max.Y) {
			i := together[at][k]
			st := nameStyle(l.Lines[i].Mark)
			st.Color = l.color(i)
			s.StrokeLines(draw.LineStyle{Color: l.color(i), Width: 0.5}, []vg.Point{
				{X: left, Y: ends[k]}, {X: right - 3, Y: label},
			})
			s.FillText(st, vg.Point{X: right, Y: label}, l.Lines[i].Name)
		}
	}
	return s.write(w)
}

func (l Lines) color(i int) color.Color {
	if m := l.Lines[i].Mark; m != Other {
		return colors[m]
	}
	nth := 0
	for _, line := range l.Lines[:i] {
		if line.Mark == Other {
			nth++
		}
	}
	return hues[nth%len(hues)]
}

func (l Lines) bounds() (xlo, xhi, ylo, yhi float64) {
	xlo, xhi, ylo, yhi = math.Inf(1), 0, math.Inf(1), 0
	for _, line := range l.Lines {
		for _, pt := range line.Points {
			xlo, xhi = min(xlo, pt.X), max(xhi, pt.X)
			ylo, yhi = min(ylo, pt.Y), max(yhi, pt.Y)
		}
	}
	if xlo == xhi {
		xhi *= 10
	}
	return xlo, xhi, ylo / 1.2, yhi * 1.2
}
