package bars

import "fmt"

// Count says of how many bars what has become.
func Count(verdicts []Verdict) string {
	n := map[State]int{}
	for _, v := range verdicts {
		n[v.State]++
	}
	s := fmt.Sprintf("Of %d bars %d hold and %d fall short", len(verdicts), n[Holds], n[FallsShort])
	if n[NotMeasured] > 0 {
		s += fmt.Sprintf("; %d were not measured", n[NotMeasured])
	}
	return s
}
