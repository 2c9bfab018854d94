package survive

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tandemgo/tandem/internal/faults"
)

// Table writes the results as Markdown: a table for each kind of library, a row
// for each fault, a column for each of them, Tandem first; and below it what was
// seen, and where that is documented.
func Table(w io.Writer, results []Result) error {
	var b strings.Builder
	for _, kind := range Kinds {
		kind.table(&b, results)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (k Kind) table(b *strings.Builder, results []Result) {
	var peers, ids []string
	by := map[string]Result{}
	for _, s := range k.Scenarios {
		if !slices.Contains(peers, s.Peer) {
			peers = append(peers, s.Peer)
		}
		if !slices.Contains(ids, s.Fault) {
			ids = append(ids, s.Fault)
		}
	}
	for _, r := range results {
		by[r.Name()] = r
	}
	slices.SortFunc(peers, func(p, q string) int {
		return cmp.Or(cmp.Compare(rank(p), rank(q)), cmp.Compare(p, q))
	})
	slices.SortFunc(ids, func(p, q string) int { return cmp.Compare(place(p), place(q)) })
	fmt.Fprintf(b, "\n## %s\n\n| | What goes wrong | %s |\n|---|---|%s\n", k.Title, strings.Join(peers, " | "), strings.Repeat("---|", len(peers)))
	var notes strings.Builder
	for _, id := range ids {
		fmt.Fprintf(b, "| %s | %s |", id, escape(rowOf(id).Fault))
		for _, peer := range peers {
			r, tried := by[Scenario{Kind: k.Title, Fault: id, Peer: peer}.Name()]
			if !tried {
				b.WriteString(" – |")
				continue
			}
			fmt.Fprintf(b, " %s |", r.cell())
			r.note(&notes)
		}
		b.WriteString("\n")
	}
	if notes.Len() > 0 {
		b.WriteString("\nWhat was seen:\n\n" + notes.String())
	}
}

// cell is what stands in a table. What is neither one nor the other is bold.
func (r Result) cell() string {
	if r.Outcome == Survives || r.Outcome == ByContract {
		return string(r.Outcome)
	}
	return "**" + string(r.Outcome) + "**"
}

func (r Result) note(b *strings.Builder) {
	if r.Outcome == Survives {
		return
	}
	fmt.Fprintf(b, "- %s, %s: %s", r.Fault, r.Peer, r.Seen)
	if r.Detail != "" {
		fmt.Fprintf(b, ", %s", escape(r.Detail))
	}
	if r.Outcome == ByContract {
		fmt.Fprintf(b, " (documented: %s)", escape(r.Contract))
	}
	if r.Remark != "" {
		fmt.Fprintf(b, "; %s", escape(r.Remark))
	}
	b.WriteString("\n")
}

func rank(peer string) int {
	switch {
	case Ours(peer):
		return 0
	case peer == channels, peer == classic:
		return 2
	}
	return 1
}

// rowOf returns the row of an id.
func rowOf(id string) faults.Fault { return faults.All()[place(id)] }

// place is where a row is in the list of all.
func place(id string) int {
	i := slices.IndexFunc(faults.All(), func(f faults.Fault) bool { return f.ID == id })
	if i < 0 {
		panic("survive: there is no fault " + id)
	}
	return i
}

func escape(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
