package chart

import (
	"testing"

	"gonum.org/v1/plot/vg"
)

func TestLabelsDoNotTouch(t *testing.T) {
	for _, test := range []struct{ want, at []vg.Length }{
		{[]vg.Length{10, 50, 90}, []vg.Length{10, 50, 90}},                                                         // there is room
		{[]vg.Length{50, 50}, []vg.Length{45, 55}},                                                                 // apart by as much
		{[]vg.Length{52, 48, 50}, []vg.Length{60, 40, 50}},                                                         // in their order
		{[]vg.Length{0, 1, 100, 99}, []vg.Length{0, 10, 100, 90}},                                                  // within the ends
		{[]vg.Length{50, 50, 63, 20}, []vg.Length{44.333333333333336, 54.333333333333336, 64.333333333333336, 20}}, // one more gets in the way
	} {
		at := spread(test.want, 10, 0, 100)
		for i := range at {
			if d := at[i] - test.at[i]; d > 1e-9 || d < -1e-9 {
				t.Errorf("%v: got %v, want %v", test.want, at, test.at)
				break
			}
		}
	}
}
