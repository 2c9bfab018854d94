package chart

import "gonum.org/v1/plot/plotter"

// A Line is one library: medians in nanoseconds over the number of something.
type Line struct {
	Name   string
	Mark   Mark
	Points plotter.XYs // by X
}
