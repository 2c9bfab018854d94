package chart

import (
	"cmp"
	"slices"

	"gonum.org/v1/plot/vg"
)

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
