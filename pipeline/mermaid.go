package pipeline

import (
	"fmt"
	"strings"
	"time"
)

// Mermaid returns the stages as a flowchart in the Mermaid language, which
// Markdown viewers draw. A thick arrow is a call between stages that share a
// goroutine.
//
// If s is the result of [Stage.Observe], the chart has the figures of the
// observer on it: on a stage what has gone in and out, what failed, and which
// part of its time its goroutines were at work; on an arrow what waits there. The
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
