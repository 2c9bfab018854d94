package survive

import (
	"cmp"
	_ "embed"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/tandemgo/tandem/benchmarks/internal/markdown"
	_ "github.com/tandemgo/tandem/benchmarks/peers" // for the versions of its modules
	"github.com/tandemgo/tandem/benchmarks/work"
	"github.com/tandemgo/tandem/internal/faults"
)

//go:embed faults.tmpl
var text string

// A page is the data of the page.
type page []Result

// Page returns FAULTS.md for the results of Run.
func Page(results []Result) (string, error) {
	t, err := template.New("FAULTS.md").Parse(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, page(results))
	return b.String(), err
}

func (page) Go() string        { return runtime.Version() + " on " + runtime.GOOS + "/" + runtime.GOARCH }
func (page) TimeLimit() string { return timeLimit.String() }
func (p page) Count() string   { return Count(p) }

// order sorts peers: Tandem first, code written by hand last.
func order(p, q string) int {
	rank := func(peer string) int {
		switch {
		case Ours(peer):
			return 0
		case peer == byHand, peer == byClassic:
			return 2
		}
		return 1
	}
	return cmp.Or(cmp.Compare(rank(p), rank(q)), cmp.Compare(p, q))
}

// distinct returns the distinct values of of for the results of a kind, or of all kinds.
func (p page) distinct(kind string, of func(Result) string) (all []string) {
	for _, r := range p {
		if v := of(r); (kind == "" || r.Kind == kind) && !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

func peerOf(r Result) string { return r.Peer }

// Count returns a table of the number of trials that each library has survived.
func Count(results []Result) string {
	var rows [][]string
	for _, peer := range slices.SortedFunc(slices.Values(page(results).distinct("", peerOf)), order) {
		n := map[Outcome]int{}
		tried := 0
		for _, r := range results {
			if r.Peer == peer {
				n[r.Outcome]++
				tried++
			}
		}
		row := []string{peer}
		for _, v := range []int{tried, n[Survives], n[ByContract], tried - n[Survives] - n[ByContract]} {
			row = append(row, strconv.Itoa(v))
		}
		rows = append(rows, row)
	}
	return markdown.Table("lrrrr", []string{"", "tried", "survives", "by contract", "otherwise"}, rows)
}

// Tables has a table for each kind of library, with a row for each fault and a column for
// each library, and below it the observations and the references to documentation.
func (p page) Tables() string {
	var b strings.Builder
	for _, kind := range kinds {
		peers := p.distinct(kind, peerOf)
		slices.SortFunc(peers, order)
		ids := p.distinct(kind, func(r Result) string { return r.Fault })
		slices.SortFunc(ids, func(p, q string) int { return cmp.Compare(place(p), place(q)) })
		var rows [][]string
		var notes strings.Builder
		for _, id := range ids {
			row := []string{id, escape(faults.All()[place(id)].Fault)}
			for _, peer := range peers {
				cell := "–"
				if i := slices.IndexFunc(p, func(r Result) bool { return r.Kind == kind && r.Fault == id && r.Peer == peer }); i >= 0 {
					cell = p[i].cell()
					notes.WriteString(p[i].note())
				}
				row = append(row, cell)
			}
			rows = append(rows, row)
		}
		header := append([]string{"", "What goes wrong"}, peers...)
		fmt.Fprintf(&b, "## %s\n\n%s\n", kind, markdown.Table(strings.Repeat("l", len(header)), header, rows))
		if notes.Len() > 0 {
			fmt.Fprintf(&b, "What was seen:\n\n%s\n", &notes)
		}
	}
	return b.String()
}

// cell returns the text of a result in the table. Outcomes other than Survives and
// ByContract are bold.
func (r Result) cell() string {
	if r.Outcome == Survives || r.Outcome == ByContract {
		return string(r.Outcome)
	}
	return "**" + string(r.Outcome) + "**"
}

func (r Result) note() string {
	if r.Outcome == Survives {
		return ""
	}
	note := fmt.Sprintf("- %s, %s: %s", r.Fault, r.Peer, r.Seen)
	if r.Detail != "" {
		note += ", " + r.Detail
	}
	if r.Outcome == ByContract {
		note += " (documented: " + r.Contract + ")"
	}
	if r.Remark != "" {
		note += "; " + r.Remark
	}
	return escape(note) + "\n"
}

// Only returns the rows of faults that are tried only on Tandem, with the reason.
func (page) Only(why string, ids ...string) string {
	var rows strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&rows, "| %s | %s | %s |\n", id, escape(faults.All()[place(id)].Fault), why)
	}
	return rows.String()
}

// Versions lists the modules of the libraries.
func (p page) Versions() string {
	all, tried := work.Modules(), map[string]string{}
	for _, peer := range p.distinct("", peerOf) {
		name, _, _ := strings.Cut(peer, "-") // a peer may be a package of a library
		if module := cmp.Or(all[peer], all[name]); module != "" {
			tried[peer] = module
		}
	}
	return markdown.Versions(tried)
}

// place returns the index of the fault with the given id.
func place(id string) int {
	i := slices.IndexFunc(faults.All(), func(f faults.Fault) bool { return f.ID == id })
	if i < 0 {
		panic("survive: there is no fault " + id)
	}
	return i
}

func escape(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
