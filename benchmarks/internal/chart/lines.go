package chart

import (
	"cmp"
	"image/color"
	"io"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A Line is one library: medians in nanoseconds over the number of something.
type Line struct {
	Name   string
	Mark   Mark
	Points plotter.XYs // by X
}

// Lines is a line chart. The lines are named at their right ends.
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
	var ends []vg.Length
	for _, line := range l.Lines {
		ends = append(ends, y(line.Points[len(line.Points)-1].Y))
	}
	labels := spread(ends, labelHeight, data.Min.Y, data.Max.Y)
	for i, line := range l.Lines {
		at := x(line.Points[len(line.Points)-1].X)
		st := nameStyle(line.Mark)
		st.Color = l.color(i)
		right := data.Max.X + leader
		s.StrokeLines(draw.LineStyle{Color: l.color(i), Width: 0.5}, []vg.Point{
			{X: at + 4, Y: ends[i]}, {X: data.Max.X + 5, Y: ends[i]}, {X: right - 5, Y: labels[i]}, {X: right - 2, Y: labels[i]},
		})
		s.FillText(st, vg.Point{X: right, Y: labels[i]}, line.Name)
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

// spread returns places for labels that want to be at these heights: gap apart
// from each other, within lo and hi as long as there is room, and no farther from
// where they want to be than that takes.
func spread(want []vg.Length, gap, lo, hi vg.Length) []vg.Length {
	order := make([]int, len(want))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(want[a], want[b]) })

	// Labels that would touch form a block, which is where they want to be on
	// average.
	type block struct {
		sum vg.Length // of where the bottom of the block should be for each label
		n   int
		at  vg.Length
	}
	place := func(b *block) {
		b.at = max(lo, min(b.sum/vg.Length(b.n), hi-gap*vg.Length(b.n-1)))
	}
	var blocks []block
	for _, i := range order {
		b := block{sum: want[i], n: 1}
		place(&b)
		for len(blocks) > 0 {
			below := blocks[len(blocks)-1]
			if below.at+gap*vg.Length(below.n) <= b.at {
				break
			}
			b = block{sum: below.sum + b.sum - gap*vg.Length(below.n*b.n), n: below.n + b.n}
			place(&b)
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	at := make([]vg.Length, len(want))
	k := 0
	for _, b := range blocks {
		for j := range b.n {
			at[order[k]] = b.at + gap*vg.Length(j)
			k++
		}
	}
	return at
}
