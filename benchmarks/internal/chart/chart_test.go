package chart_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/plot/plotter"

	"github.com/tandemgo/tandem/benchmarks/internal/chart"
)

var dots = chart.Dots{Title: "Pool & more", Subtitle: "time", Rows: []chart.Row{
	{Name: "loop", Mark: chart.Floor, Mid: 5, Lo: 5, Hi: 5},
	{Name: "tandem", Mark: chart.Ours, Mid: 40.2, Lo: 38, Hi: 44},
	{Name: "tandem-fused", Mark: chart.Variant, Mid: 60, Lo: 58, Hi: 65},
	{Name: "pond", Mid: 1219, Lo: 1100, Hi: 1300},
	{Name: "ants", Mid: 1300, Lo: math.Inf(-1), Hi: math.Inf(1)},
}}

var lines = chart.Lines{Title: "Broadcast", Subtitle: "time", X: "subscribers", Lines: []chart.Line{
	{Name: "tandem", Mark: chart.Ours, Points: plotter.XYs{{X: 1, Y: 65}, {X: 1000, Y: 873}}},
	{Name: "tandem-all", Mark: chart.Variant, Points: plotter.XYs{{X: 1, Y: 66}, {X: 1000, Y: 875}}},
	{Name: "ro", Points: plotter.XYs{{X: 1, Y: 68}, {X: 1000, Y: 876}}},
	{Name: "only-one", Points: plotter.XYs{{X: 1, Y: 68}}},
	{Name: "loop", Mark: chart.Floor, Points: plotter.XYs{{X: 1, Y: 9}, {X: 1000, Y: 9}}},
}}

func TestCharts(t *testing.T) {
	for name, write := range map[string]func(io.Writer) error{"dots": dots.Write, "lines": lines.Write} {
		var first, second bytes.Buffer
		if err := errors.Join(write(&first), write(&second)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("%s: not the same twice", name)
		}
		if n := first.Len(); n > 60_000 {
			t.Errorf("%s: %d bytes", name, n)
		}
		if err := xml.Unmarshal(first.Bytes(), new(any)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, bad := range []string{"NaN", "Inf"} {
			if strings.Contains(first.String(), bad) {
				t.Errorf("%s: %s in it", name, bad)
			}
		}
		for _, want := range []string{">tandem<", ">loop<", "Arial"} {
			if !strings.Contains(first.String(), want) {
				t.Errorf("%s: no %s in it", name, want)
			}
		}
	}
}

func TestValuesAreNamed(t *testing.T) {
	var b strings.Builder
	if err := dots.Write(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{">40.2 ns<", ">1.22 µs<", ">1.3 µs<", ">10 ns<", ">1 µs<", ">Pool &amp; more<"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in it", want)
		}
	}
}
