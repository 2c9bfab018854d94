// Package chart draws the figures of libraries as SVG: dots for one case, lines
// for many. Times are on a logarithmic axis, where equal distances are equal
// factors. The same figures always make the same file.
package chart

import (
	"bytes"
	"image/color"
	"io"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A Mark says how a library is drawn.
type Mark int

const (
	Other   Mark = iota
	Ours         // stands out
	Variant      // another way to use ours
	Floor        // does less than the work: hollow, or dashed
)

var (
	white = color.White
	ink   = color.RGBA{0x1f, 0x24, 0x2b, 0xff} // of names
	faint = color.RGBA{0x5f, 0x67, 0x70, 0xff} // of what is said beside
	grid  = color.RGBA{0xe3, 0xe6, 0xea, 0xff}

	colors = map[Mark]color.Color{
		Other:   color.RGBA{0x8a, 0x93, 0x9d, 0xff},
		Ours:    color.RGBA{0x0b, 0x6e, 0xb5, 0xff},
		Variant: color.RGBA{0x6a, 0xae, 0xdc, 0xff},
		Floor:   color.RGBA{0x8a, 0x93, 0x9d, 0xff},
	}
)

const (
	width  = 640 * vg.Length(1)
	margin = 14 * vg.Length(1)
	// head is the height of title and subtitle.
	head = 50 * vg.Length(1)
)

// family is the font that widths are measured by. Arial and Helvetica have the
// same widths; a viewer that has none of them takes a wider one, so there is some
// room.
const (
	family    = "font-family:Liberation Sans;"
	fallbacks = "font-family:Liberation Sans,Arial,Helvetica,sans-serif;"
	room      = 1.15
)

// style returns the style of text.
func style(size vg.Length, bold bool, c color.Color) draw.TextStyle {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return draw.TextStyle{
		Color: c, Font: f, YAlign: draw.YCenter,
		Handler: text.Plain{Fonts: font.DefaultCache},
	}
}

// nameStyle is the style of a library's name.
func nameStyle(m Mark) draw.TextStyle {
	switch m {
	case Ours:
		return style(12, true, colors[Ours])
	case Floor:
		return style(12, false, faint)
	}
	return style(12, false, ink)
}

// nameWidth returns how much room a library's name takes.
func nameWidth(name string, m Mark) vg.Length { return room * nameStyle(m).Width(name) }

// newPlot returns a plot without anything on it but white.
func newPlot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = white
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.LineStyle.Color = grid
		axis.Tick.LineStyle.Color = grid
		axis.Tick.Label = style(11, false, faint)
		axis.Tick.Label.YAlign = draw.YTop
		axis.Label.TextStyle = style(11, false, faint)
		axis.Label.TextStyle.XAlign = draw.XCenter
	}
	p.X.Tick.Label.XAlign = draw.XCenter
	p.Y.Tick.Label.XAlign, p.Y.Tick.Label.YAlign = draw.XRight, draw.YCenter
	return p
}

// A sheet is a canvas with a title on it.
type sheet struct {
	svg *vgsvg.Canvas
	draw.Canvas
}

func newSheet(height vg.Length, title, subtitle string) sheet {
	svg := vgsvg.New(width, height)
	s := sheet{svg, draw.New(svg)}
	s.FillPolygon(white, []vg.Point{{}, {X: width}, {X: width, Y: height}, {Y: height}})
	s.FillText(style(14, true, ink), vg.Point{X: margin, Y: height - 18}, title)
	s.FillText(style(11, false, faint), vg.Point{X: margin, Y: height - 35}, subtitle)
	return s
}

// write writes the file.
func (s sheet) write(w io.Writer) error {
	var buf bytes.Buffer
	if _, err := s.svg.WriteTo(&buf); err != nil {
		return err
	}
	_, err := w.Write(bytes.ReplaceAll(buf.Bytes(), []byte(family), []byte(fallbacks)))
	return err
}
