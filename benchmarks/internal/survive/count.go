package survive

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Count writes how many of its trials each library has survived, in the order of
// their names, Tandem first.
func Count(w io.Writer, results []Result) error {
	type score struct{ tried, survived, contract int }
	scores := map[string]*score{}
	var peers []string
	for _, r := range results {
		s := scores[r.Peer]
		if s == nil {
			s = &score{}
			scores[r.Peer] = s
			peers = append(peers, r.Peer)
		}
		s.tried++
		switch r.Outcome {
		case Survives:
			s.survived++
		case ByContract:
			s.contract++
		}
	}
	slices.SortFunc(peers, func(p, q string) int {
		return cmp.Or(cmp.Compare(rank(p), rank(q)), cmp.Compare(p, q))
	})
	var b strings.Builder
	b.WriteString("| | tried | survives | by contract | otherwise |\n|---|---:|---:|---:|---:|\n")
	for _, p := range peers {
		s := scores[p]
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d |\n", p, s.tried, s.survived, s.contract, s.tried-s.survived-s.contract)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
