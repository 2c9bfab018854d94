package chart

import "math"

// A Row is one library: a median in nanoseconds and its interval, which is left
// out if it is not finite.
type Row struct {
	Name        string
	Mark        Mark
	Mid, Lo, Hi float64
}

// ends returns the smallest and the greatest figure that is drawn.
func (r Row) ends() [2]float64 {
	if math.IsInf(r.Lo, 0) || math.IsInf(r.Hi, 0) || math.IsNaN(r.Lo) || r.Lo <= 0 {
		return [2]float64{r.Mid, r.Mid}
	}
	return [2]float64{r.Lo, r.Hi}
}
