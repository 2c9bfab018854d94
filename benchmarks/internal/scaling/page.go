package scaling

import (
	"fmt"
	"strings"
)

// A markdown is a page in the making.
type markdown struct{ strings.Builder }

func (m *markdown) printf(format string, args ...any) { fmt.Fprintf(m, format, args...) }

// row writes a row of a table.
func (m *markdown) row(cells ...string) { m.printf("| %s |\n", strings.Join(cells, " | ")) }

// header writes the head of a table, in which all columns but the first are
// figures.
func (m *markdown) header(cells ...string) {
	m.row(cells...)
	m.printf("|---%s|\n", strings.Repeat("|--:", len(cells)-1))
}

func page(head string, s series) []byte {
	m := new(markdown)
	m.printf("# Scaling\n\n")
	if head = strings.TrimSpace(head); head != "" {
		m.printf("%s\n\n", head)
	}
	m.printf("%s\n\n", introduction)
	growth(m, s)
	model(m, s)
	next(m, s)
	return []byte(m.String())
}

const introduction = `Three questions: does ten times as much take ten times as long, and ten times as
much memory where it has to be kept; what would more cores bring; and what limits
each package next. All figures are medians of the rounds, or follow from them.`

const aboutGrowth = `## More items

The whole work on n items, from the making of a pool to its end, every result
checked. *ns/item* is by GOMAXPROCS; *B/item* is all that was allocated, however
short it lived; *live B/item* is by how much the live heap had grown when the most
was held, both at GOMAXPROCS %d.

*k* is the exponent of a total that grows as n^k, with its 95 %% confidence interval,
by least squares through the logarithms of all rounds, from ten times the least n on;
before that it is the beginning and the end that count. Time is *flat* per item if k
is from %.2f to %.2f; it *falls* where what is done once for all items still weighs
at the least n that counts. Live memory is *kept for each item* if k is 1 within a tenth, and
*bounded* if it is less than %s in all for any n.

![Time of an item](%s)

![Memory held](%s)
`

func growth(m *markdown, s series) {
	m.printf(aboutGrowth, s.usual(), flatLow, flatHigh, bytesOf(few), timeChart, memoryChart)
	m.printf("\n### Verdicts\n\n")
	m.printf("Time is at GOMAXPROCS %d.\n\n", s.usual())
	m.header("work", "k of time", "verdict", "last ÷ first, per item", "k of live memory", "held")
	for _, e := range engines {
		f, ok := s.fit(e.pkg, s.usual(), nsItem)
		if !ok {
			continue
		}
		memory, verdict := s.memory(e.pkg)
		m.row(e.pkg, f.String(), f.verdict(), s.ratio(e.pkg), memory, verdict)
	}
	for _, e := range engines {
		sizes(m, s, e)
	}
}

// ratio returns how an item's time at the largest n compares with that at the
// least one that the fit looks at.
func (s series) ratio(pkg string) string {
	sizes := s.sizes(pkg)
	k := key{bench: "Growth", pkg: pkg, procs: s.usual()}
	for _, n := range sizes {
		if n >= 10*sizes[0] {
			k.n = n
			break
		}
	}
	first, _ := s.median(k, nsItem)
	k.n = sizes[len(sizes)-1]
	last, _ := s.median(k, nsItem)
	return fmt.Sprintf("%.2f", last/first)
}

// few is how many bytes in all are nothing that is held for items.
const few = 256 << 10

// memory returns the exponent of live memory, and what it means.
func (s series) memory(pkg string) (k, verdict string) {
	most, last := 0.0, 0.0
	for _, n := range s.sizes(pkg) {
		v, _ := s.median(key{bench: "Growth", pkg: pkg, n: n, procs: s.usual()}, liveB)
		most, last = max(most, v*float64(n)), v
	}
	f, ok := s.fit(pkg, s.usual(), liveB)
	switch {
	case most < few:
		return "–", fmt.Sprintf("bounded: %s at most", bytesOf(most))
	case !ok:
		return "–", "–"
	case f.k >= 1-0.1 && f.k <= 1+0.1:
		return f.String(), fmt.Sprintf("kept: %s an item", bytesOf(last))
	}
	return f.String(), "**not proportional**"
}

// sizes writes the table of one kind of work.
func sizes(m *markdown, s series, e engine) {
	ns := s.sizes(e.pkg)
	if len(ns) == 0 {
		return
	}
	procs := s.procs()
	m.printf("\n### %s\n\nn is the number of %s.\n\n", e.pkg, e.what)
	cells := []string{"n"}
	for _, p := range procs {
		cells = append(cells, fmt.Sprintf("ns/item, %d", p))
	}
	m.header(append(cells, "B/item", "live B/item")...)
	for _, n := range ns {
		k := key{bench: "Growth", pkg: e.pkg, n: n}
		cells := []string{count(n)}
		for _, k.procs = range procs {
			cells = append(cells, s.cell(k, nsItem))
		}
		k.procs = s.usual()
		m.row(append(cells, s.cell(k, allocB), s.cell(k, liveB))...)
	}
	cells = []string{"k"}
	for _, p := range procs {
		cells = append(cells, fitted(s.fit(e.pkg, p, nsItem)))
	}
	m.row(append(cells, fitted(s.fit(e.pkg, s.usual(), allocB)), fitted(s.fit(e.pkg, s.usual(), liveB)))...)
}

func (s series) cell(k key, unit string) string {
	v, ok := s.median(k, unit)
	if !ok {
		return "–"
	}
	return figure(v)
}

func fitted(f fit, ok bool) string {
	if !ok {
		return "–"
	}
	return fmt.Sprintf("%.3f", f.k)
}
