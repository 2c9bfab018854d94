package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A shape is a chain of stages as pictures show it.
type shape struct {
	text  string // in one line
	nodes []node
	tails []int     // the nodes that its output comes from
	watch *Observer // whose figures are drawn; nil if there are none
}

// A node is one stage of a shape.
type node struct {
	name   string
	detail string // in parentheses behind it, or ""
	from   []edge // none: it gets what the shape gets
}

// An edge is the way to a node from another of the shape.
type edge struct {
	node  int
	label string
	fused bool // a call, not a hop
}

func (n node) String() string {
	if n.detail == "" {
		return n.name
	}
	return n.name + "(" + n.detail + ")"
}

func shapeOf(n node) shape { return shape{text: n.String(), nodes: []node{n}, tails: []int{0}} }

// moved returns nodes as they are when n others are in front, with the first of
// them coming from entries.
func moved(nodes []node, n int, entries ...edge) []node {
	out := make([]node, len(nodes))
	for i, nd := range nodes {
		if nd.from == nil {
			nd.from = entries
		} else {
			nd.from = slices.Clone(nd.from)
			for j := range nd.from {
				nd.from[j].node += n
			}
		}
		out[i] = nd
	}
	return out
}

func movedTails(tails []int, n int) []int {
	out := slices.Clone(tails)
	for i := range out {
		out[i] += n
	}
	return out
}

func (sh shape) then(next shape) shape { return sh.followed(next, " → ", false) }

func (sh shape) fused(next shape) shape { return sh.followed(next, " + ", true) }

func (sh shape) followed(next shape, sign string, fused bool) shape {
	var entries []edge
	for _, t := range sh.tails {
		entries = append(entries, edge{node: t, fused: fused})
	}
	return shape{
		text:  sh.text + sign + next.text,
		nodes: append(slices.Clone(sh.nodes), moved(next.nodes, len(sh.nodes), entries...)...),
		tails: movedTails(next.tails, len(sh.nodes)),
	}
}

// forked is a node with branches behind it.
func forked(n node, labels []string, branches []shape) shape {
	out := shape{nodes: []node{n}}
	var texts []string
	for i, b := range branches {
		text := b.text
		if labels[i] != "" {
			text = labels[i] + ": " + text
		}
		texts = append(texts, text)
		at := len(out.nodes)
		out.nodes = append(out.nodes, moved(b.nodes, at, edge{label: labels[i]})...)
		out.tails = append(out.tails, movedTails(b.tails, at)...)
	}
	out.text = n.name + "(" + strings.Join(texts, " | ") + ")"
	return out
}

// zipped is two branches and a node that joins them.
func zipped(name string, a, b shape) shape {
	out := forked(node{name: "tee"}, []string{"", ""}, []shape{a, b})
	join := node{name: name}
	for _, t := range out.tails {
		join.from = append(join.from, edge{node: t})
	}
	out.nodes = append(out.nodes, join)
	out.tails = []int{len(out.nodes) - 1}
	out.text = name + "(" + a.text + " | " + b.text + ")"
	return out
}

func (o options) node() node {
	var details []string
	if o.workers > 1 {
		details = append(details, fmt.Sprintf("%d workers", o.workers))
		if o.unordered {
			details = append(details, "unordered")
		}
	}
	if o.retry.Attempts > 1 {
		details = append(details, fmt.Sprintf("%d attempts", o.retry.Attempts))
	}
	if o.timeout > 0 {
		details = append(details, fmt.Sprintf("timeout %v", o.timeout))
	}
	return node{name: o.name, detail: strings.Join(details, ", ")}
}

// String returns the stages in one line, as in "map → filter → batch(10, 1s)",
// with a + between stages that share a goroutine.
func (s Stage[In, Out]) String() string { return s.shape.text }

// Mermaid returns the stages as a flowchart in the Mermaid language, which
// Markdown viewers draw. A thick arrow is a call between stages that share a
// goroutine.
//
// If s is the result of [Stage.Observe], the chart has the figures of the
// observer on it: on a stage the items in and out, those that failed, and the part of its
// time that its goroutines were at work; on an arrow the items that wait there. The
// stage whose goroutines have been at work for the longest time each is marked:
// that is the bottleneck.
func (s Stage[In, Out]) Mermaid() string {
	var stats Stats
	busiest := -1
	if s.shape.watch != nil {
		stats = s.shape.watch.Stats()
		busiest = bottleneck(stats)
	}
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	escape := strings.NewReplacer("#", "#35;", `"`, "#quot;", "\n", " ", "|", "#124;")
	for i, n := range s.shape.nodes {
		text := escape.Replace(n.String())
		if stats != nil {
			text += figures(stats[i])
		}
		fmt.Fprintf(&b, "    s%d[\"%s\"]\n", i, text)
	}
	for i, n := range s.shape.nodes {
		for _, e := range n.from {
			arrow := "-->"
			if e.fused {
				arrow = "==>"
			}
			label := escape.Replace(e.label)
			if stats != nil && stats[i].Depth > 0 {
				label = strings.TrimSpace(fmt.Sprintf("%s %d", label, stats[i].Depth))
			}
			if label != "" {
				arrow += "|" + label + "|"
			}
			fmt.Fprintf(&b, "    s%d %s s%d\n", e.node, arrow, i)
		}
	}
	if busiest >= 0 {
		fmt.Fprintf(&b, "    style s%d stroke-width:4px\n", busiest)
	}
	return b.String()
}

// figures returns the lines of a stage's box.
func figures(st StageStats) string {
	if st.In+st.Out == 0 {
		return ""
	}
	text := fmt.Sprintf("<br/>%d in, %d out", st.In, st.Out)
	if st.Skipped+st.Failed+st.Discarded > 0 {
		text += fmt.Sprintf("<br/>%d skipped, %d failed, %d discarded", st.Skipped, st.Failed, st.Discarded)
	}
	if total := st.Busy + st.Blocked + st.Waiting; total > 0 {
		text += fmt.Sprintf("<br/>busy %d%%, blocked %d%%, waiting %d%%",
			percent(st.Busy, total), percent(st.Blocked, total), percent(st.Waiting, total))
	}
	return text
}

func percent(part, total time.Duration) int { return int((100*part + total/2) / total) }

// bottleneck returns the stage whose goroutines were at work for the longest time
// each, -1 if none was. The part of its time would not do: a stage that is done
// early has been at work for all of it.
func bottleneck(stats Stats) int {
	busiest, most := -1, time.Duration(0)
	for i, st := range stats {
		if each := st.Busy / time.Duration(max(1, st.Workers)); each > most {
			busiest, most = i, each
		}
	}
	return busiest
}
