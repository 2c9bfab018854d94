package scaling

import (
	"bytes"
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

const (
	chartWidth, chartHeight = 9 * vg.Inch, 5.5 * vg.Inch
	legendWidth             = 2.1 * vg.Inch
)

// A chart has logarithmic axes, white ground, and its legend beside it.
type chart struct {
	plot   *plot.Plot
	legend plot.Legend
	lines  int
}

func newChart(title, x, y string) *chart {
	p := plot.New()
	p.BackgroundColor = color.White
	p.Title.Text = title
	p.Title.TextStyle.Font = sans(13)
	p.Title.Padding = vg.Points(8)
	p.X.Label.Text, p.Y.Label.Text = x, y
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Scale, axis.Tick.Marker = plot.LogScale{}, decades{}
		axis.Label.TextStyle.Font, axis.Tick.Label.Font = sans(11), sans(10)
		axis.Label.Padding = vg.Points(4)
		axis.Padding = 0
	}
	grid := plotter.NewGrid()
	pale := color.Gray{225}
	grid.Vertical.Color, grid.Horizontal.Color = pale, pale
	p.Add(grid)
	c := &chart{plot: p, legend: plot.NewLegend()}
	c.legend.Top = true
	c.legend.Left = true
	c.legend.TextStyle.Font = sans(10)
	c.legend.ThumbnailWidth = vg.Points(24)
	c.legend.Padding = vg.Points(4)
	return c
}

func sans(points float64) font.Font {
	return font.Font{Typeface: plot.DefaultFont.Typeface, Variant: "Sans", Size: vg.Points(points)}
}

// fonts are for readers who do not have the one by which the text was placed; the
// second one is as wide.
const fonts = "Liberation Sans,Arial,Helvetica,sans-serif"

// palette has colours that the colour-blind can tell apart (M. Okabe and K. Ito),
// and is gone through with full lines first, then with dashed ones.
var palette = []color.Color{
	color.RGBA{0, 114, 178, 255}, color.RGBA{213, 94, 0, 255}, color.RGBA{0, 158, 115, 255},
	color.RGBA{204, 121, 167, 255}, color.RGBA{86, 180, 233, 255}, color.RGBA{230, 159, 0, 255},
}

// line draws points, joined, and measured ones as dots in the same colour.
func (c *chart) line(name string, points, measured plotter.XYs) error {
	style := draw.LineStyle{Color: palette[c.lines%len(palette)], Width: vg.Points(1.8)}
	var shape draw.GlyphDrawer = draw.CircleGlyph{}
	if c.lines >= len(palette) {
		style.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
		shape = draw.SquareGlyph{}
	}
	c.lines++
	l, err := plotter.NewLine(points)
	if err != nil {
		return fmt.Errorf("scaling: %s: %w", name, err)
	}
	l.LineStyle = style
	c.plot.Add(l)
	c.legend.Add(name, l)
	if len(measured) == 0 {
		return nil
	}
	dots, err := plotter.NewScatter(measured)
	if err != nil {
		return fmt.Errorf("scaling: %s: %w", name, err)
	}
	dots.GlyphStyle = draw.GlyphStyle{Color: style.Color, Radius: vg.Points(3), Shape: shape}
	c.plot.Add(dots)
	return nil
}

// svg returns the chart. The same points give the same bytes.
func (c *chart) svg() ([]byte, error) {
	for _, axis := range []*plot.Axis{&c.plot.X, &c.plot.Y} { // some air
		axis.Min, axis.Max = axis.Min/1.1, axis.Max*1.15
	}
	canvas := vgsvg.New(chartWidth, chartHeight)
	all := draw.New(canvas)
	all.SetColor(color.White)
	all.Fill(all.Rectangle.Path())
	c.plot.Draw(draw.Crop(all, vg.Points(6), -legendWidth, vg.Points(6), -vg.Points(6)))
	c.legend.Draw(draw.Crop(all, chartWidth-legendWidth+vg.Points(12), 0, 0, -vg.Points(40)))
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return nil, fmt.Errorf("scaling: chart: %w", err)
	}
	return bytes.ReplaceAll(out.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:"+fonts+";")), nil
}

// decades marks powers of ten, or of two where there is little more than one of
// these.
type decades struct{}

func (decades) Ticks(low, high float64) []plot.Tick {
	base := 10.0
	if high/low < 150 {
		base = 2
	}
	var ticks []plot.Tick
	for e := math.Floor(math.Log(low) / math.Log(base)); ; e++ {
		v := math.Pow(base, e)
		if v > high {
			return ticks
		}
		if v >= low {
			ticks = append(ticks, plot.Tick{Value: v, Label: short(v)})
		}
		if base == 10 {
			for d := 2.0; d < 10; d++ {
				if v*d >= low && v*d <= high {
					ticks = append(ticks, plot.Tick{Value: v * d})
				}
			}
		}
	}
}
