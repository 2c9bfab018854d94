package pipeline

import (
	"fmt"
	"slices"
	"strings"
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
