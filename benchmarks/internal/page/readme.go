package page

import (
	"fmt"
	"os"
	"strings"

	"github.com/tandemgo/tandem/benchmarks/internal/results"
	"github.com/tandemgo/tandem/benchmarks/internal/stats"
)

// Between these lines of a file is a table of the figures that most people want.
const (
	tableBegin = "<!-- made by benchmarks/cmd/report -->\n"
	tableEnd   = "<!-- end of what is made -->\n"
)

// A summaryRow is a line of that table.
type summaryRow struct{ says, work, name string }

var summary = []summaryRow{
	{"pool: an empty task", "Pool", ""},
	{"the same, 64 submitters", "PoolSubmitters", ""},
	{"pool: a task of 1 µs", "PoolWork", "work=1us"},
	{"pool: a task of 50 µs", "PoolWork", "work=50us"},
	{"pool: the result of a task in a group", "PoolResults", ""},
	{"pool: the future of a task", "PoolFutures", ""},
	{"pipeline: an item through three stages", "Pipeline", ""},
	{"one item alone through five idle stages", "PipelineLatency", ""},
	{"eight workers, in order: an item", "PipelineOrdered", "work=0us"},
	{"eight workers, as they are ready: an item", "PipelineUnordered", "work=0us"},
	{"fan.Map over 10 ints", "FanMap", "n=10"},
	{"fan.Map over 1,000 ints", "FanMap", "n=1000"},
	{"fan.ForEach: an item", "FanForEach", ""},
	{"ratelimit: Allow says yes", "Allow", "answer=yes/procs=one"},
	{"ratelimit: Allow says no", "Allow", "answer=no/procs=one"},
	{"yes, 8 goroutines a core", "Allow", "answer=yes/procs=all"},
	{"no, 8 goroutines a core", "Allow", "answer=no/procs=all"},
	{"ratelimit: a million keys", "Keyed", "procs=one"},
	{"broadcast to 1", "Broadcast", "n=1"},
	{"broadcast to 10", "Broadcast", "n=10"},
	{"broadcast to 100", "Broadcast", "n=100"},
	{"broadcast to 1,000", "Broadcast", "n=1000"},
	{"broadcast to 10, all asleep each time", "BroadcastPingPong", "n=10"},
}

// mostLibraries is how many libraries a line names, the fastest ones.
const mostLibraries = 4

// Summarize puts the table of the main figures into the file of that name, in
// the place of the one that is there.
func Summarize(name string, r *results.Results) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("page: Summarize: %w", err)
	}
	before, rest, ok := strings.Cut(string(text), tableBegin)
	_, after, ended := strings.Cut(rest, tableEnd)
	if !ok || !ended {
		return fmt.Errorf("page: Summarize: %s must have a line %q and behind it a line %q",
			name, strings.TrimSpace(tableBegin), strings.TrimSpace(tableEnd))
	}
	p := &page{results: r}
	p.summary()
	if err := os.WriteFile(name, []byte(before+tableBegin+p.text.String()+tableEnd+after), 0o644); err != nil {
		return fmt.Errorf("page: Summarize: %w", err)
	}
	return nil
}

func (p *page) summary() {
	f := p.results.Facts
	p.say("Medians in nanoseconds of %d rounds on %s, %s cores, %s:\n\n", p.results.Rounds(), f.CPU, f.Cores, f.Go)
	p.say("| Work | Tandem | channels | classic | libraries |\n|---|---:|---:|---:|---|\n")
	for _, row := range summary {
		c := p.results.Work(row.work).Case(row.name)
		if c.Ours() == nil {
			continue
		}
		var others []string
		for _, l := range c.Ranked(results.Time) {
			if (l.Library() || l.Floor()) && len(others) < mostLibraries {
				others = append(others, fmt.Sprintf("%s %s", figureOf(l), l.Name))
			}
		}
		p.say("| %s | **%s** | %s | %s | %s |\n", row.says,
			figureOf(c.Ours()), figureOf(c.Lib("channels")), figureOf(c.Lib("classic")), strings.Join(others, ", "))
	}
}

func figureOf(l *results.Lib) string { return stats.Figure(l.Median(results.Time)) }
