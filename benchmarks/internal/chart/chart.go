// Package chart draws figures as SVG, on logarithmic axes, where equal distances are equal
// factors. The same figures give the same file.
package chart

import (
	"bytes"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/tandemgo/tandem/benchmarks/internal/results"
)

const width = 7.5 * vg.Inch

var (
	grey = color.Gray{150}
	pale = color.Gray{225}
	// palette has colours that colour-blind readers can distinguish (M. Okabe and K. Ito).
	// It is used with full lines first, then with dashed ones.
	palette = []color.Color{
		color.RGBA{0, 114, 178, 255}, color.RGBA{213, 94, 0, 255}, color.RGBA{0, 158, 115, 255},
		color.RGBA{204, 121, 167, 255}, color.RGBA{86, 180, 233, 255}, color.RGBA{230, 159, 0, 255},
	}
)

// Dots draws the times of the libraries in a case: medians with their intervals, the
// fastest on top. Forms of Tandem are coloured, and floors are hollow.
func Dots(c *results.Case, subtitle string) ([]byte, error) {
	libs := c.Ranked(results.Time)
	p := newPlot(c.Title()+": "+subtitle, "nanoseconds, logarithmic")
	names := make([]string, len(libs))
	dots := make(plotter.XYs, len(libs))
	values := plotter.XYLabels{XYs: dots, Labels: make([]string, len(libs))}
	intervals := make(plotter.XErrors, len(libs))
	for i, l := range libs {
		at := len(libs) - 1 - i
		s := l.Figures[results.Time].Summary()
		names[at], values.Labels[at] = l.Name, results.Figure(s.Median)
		dots[at] = plotter.XY{X: s.Median, Y: float64(at)}
		if s.Bounded() {
			intervals[at].Low, intervals[at].High = s.Median-s.Lo, s.Hi-s.Median
		}
	}
	scatter, err := plotter.NewScatter(dots)
	if err != nil {
		return nil, err
	}
	scatter.GlyphStyleFunc = func(at int) draw.GlyphStyle {
		style := draw.GlyphStyle{Color: grey, Radius: vg.Points(4), Shape: draw.CircleGlyph{}}
		switch l := libs[len(libs)-1-at]; {
		case l.Ours():
			style.Color = palette[0]
		case l.Floor():
			style.Shape = draw.RingGlyph{}
		}
		return style
	}
	whiskers, err := plotter.NewXErrorBars(struct {
		plotter.XYer
		plotter.XErrorer
	}{dots, intervals})
	if err != nil {
		return nil, err
	}
	whiskers.Color = grey
	labels, err := plotter.NewLabels(values)
	if err != nil {
		return nil, err
	}
	labels.Offset = vg.Point{X: vg.Points(7), Y: vg.Points(5)}
	p.Add(whiskers, scatter, labels)
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -0.5, float64(len(libs))-0.5
	p.X.Min, p.X.Max = p.X.Min/1.1, p.X.Max*1.2
	return svg(p, nil, vg.Length(len(libs))*vg.Points(20)+vg.Points(80))
}

// A Line is a named sequence of points by X.
type Line struct {
	Name   string
	Points plotter.XYs
}

// Lines draws lines, with their names beside the chart.
func Lines(title, x, y string, lines []Line) ([]byte, error) {
	p := newPlot(title, x)
	p.Y.Label.Text, p.Y.Scale, p.Y.Tick.Marker = y, plot.LogScale{}, plot.LogTicks{Prec: -1}
	legend := plot.NewLegend()
	legend.Top, legend.Left = true, true
	legend.ThumbnailWidth, legend.Padding = vg.Points(24), vg.Points(4)
	for i, l := range lines {
		line, points, err := plotter.NewLinePoints(l.Points)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = palette[i%len(palette)], vg.Points(1.5)
		if i >= len(palette) {
			line.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
		}
		points.GlyphStyle = draw.GlyphStyle{Color: line.Color, Radius: vg.Points(2.5), Shape: draw.CircleGlyph{}}
		p.Add(line, points)
		legend.Add(l.Name, line, points)
	}
	return svg(p, &legend, 4.5*vg.Inch)
}

func newPlot(title, x string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text = title, x
	p.Title.Padding = vg.Points(8)
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	for _, style := range []*font.Font{&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font,
		&p.X.Tick.Label.Font, &p.Y.Tick.Label.Font} {
		style.Variant = "Sans"
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = pale, pale
	p.Add(grid)
	return p
}

// svg draws the plot, and the legend to the right of it.
func svg(p *plot.Plot, legend *plot.Legend, height vg.Length) ([]byte, error) {
	canvas := vgsvg.New(width, height)
	all := draw.New(canvas)
	all.SetColor(color.White)
	all.Fill(all.Rectangle.Path())
	beside := vg.Points(-12)
	if legend != nil {
		beside = -2 * vg.Inch
		legend.Draw(draw.Crop(all, width+beside+vg.Points(8), 0, 0, vg.Points(-30)))
	}
	p.Draw(draw.Crop(all, vg.Points(6), beside, vg.Points(6), vg.Points(-6)))
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return nil, err
	}
	// Arial and Helvetica have the widths of the font that places the text.
	return bytes.ReplaceAll(out.Bytes(), []byte("font-family:Liberation Sans"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif")), nil
}
