package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A shape is a chain of stages as pictures show it. The first node gets what the shape
// gets.
type shape struct {
	text  string // in one line
	nodes []node
	edges []Edge
	tails []int     // the nodes that its output comes from
	watch *Observer // whose figures are drawn; nil if there are none
}

// A node is one stage of a shape.
type node struct {
	name   string
	detail string // in parentheses behind it, or ""
}

func (n node) String() string {
	if n.detail == "" {
		return n.name
	}
	return n.name + "(" + n.detail + ")"
}

func shapeOf(n node) shape { return shape{text: n.String(), nodes: []node{n}, tails: []int{0}} }

// add adds the nodes of next, with edges like e to the first of them from those at from. It
// returns the tails of next.
func (sh *shape) add(next shape, from []int, e Edge) (tails []int) {
	n := len(sh.nodes)
	sh.nodes, sh.edges = append(slices.Clip(sh.nodes), next.nodes...), slices.Clip(sh.edges)
	for _, f := range from {
		e.From, e.To = f, n
		sh.edges = append(sh.edges, e)
	}
	for _, e := range next.edges {
		e.From, e.To = e.From+n, e.To+n
		sh.edges = append(sh.edges, e)
	}
	for _, t := range next.tails {
		tails = append(tails, t+n)
	}
	return tails
}

// then is sh with next behind it, on the same goroutine if they are fused.
func (sh shape) then(next shape, fused bool) shape {
	sign := " → "
	if fused {
		sign = " + "
	}
	sh.text, sh.watch = sh.text+sign+next.text, nil
	sh.tails = sh.add(next, sh.tails, Edge{Fused: fused})
	return sh
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
		out.tails = append(out.tails, out.add(b, []int{0}, Edge{Label: labels[i]})...)
	}
	out.text = n.name + "(" + strings.Join(texts, " | ") + ")"
	return out
}

// zipped is two branches and a node that joins them.
func zipped(name string, a, b shape) shape {
	out := forked(node{name: "tee"}, []string{"", ""}, []shape{a, b})
	out.tails = out.add(shapeOf(node{name: name}), out.tails, Edge{})
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
	stats := make(Stats, len(s.shape.nodes)) // without figures
	if s.shape.watch != nil {
		stats = s.shape.watch.Stats()
	}
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	escape := strings.NewReplacer("#", "#35;", `"`, "#quot;", "\n", " ", "|", "#124;")
	for i, n := range s.shape.nodes {
		fmt.Fprintf(&b, "    s%d[\"%s%s\"]\n", i, escape.Replace(n.String()), figures(stats[i]))
	}
	for _, e := range s.shape.edges {
		arrow, label := "-->", escape.Replace(e.Label)
		if e.Fused {
			arrow = "==>"
		}
		if depth := stats[e.To].Depth; depth > 0 {
			label = strings.TrimSpace(fmt.Sprintf("%s %d", label, depth))
		}
		if label != "" {
			arrow += "|" + label + "|"
		}
		fmt.Fprintf(&b, "    s%d %s s%d\n", e.From, arrow, e.To)
	}
	if i := bottleneck(stats); i >= 0 {
		fmt.Fprintf(&b, "    style s%d stroke-width:4px\n", i)
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
