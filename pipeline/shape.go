package pipeline

import (
	"fmt"
	"strings"
)

// A node is one stage as pictures show it.
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
	return node{o.name, strings.Join(details, ", ")}
}

// String returns the stages in one line, as in "map → filter → batch(10, 1s)".
func (s Stage[In, Out]) String() string {
	names := make([]string, len(s.shape))
	for i, n := range s.shape {
		names[i] = n.String()
	}
	return strings.Join(names, " → ")
}

// Mermaid returns the stages as a flowchart in the Mermaid language, which
// Markdown viewers draw.
func (s Stage[In, Out]) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	escape := strings.NewReplacer("#", "#35;", `"`, "#quot;", "\n", " ")
	for i, n := range s.shape {
		fmt.Fprintf(&b, "    s%d[\"%s\"]\n", i, escape.Replace(n.String()))
	}
	for i := 1; i < len(s.shape); i++ {
		fmt.Fprintf(&b, "    s%d --> s%d\n", i-1, i)
	}
	return b.String()
}
