package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
)

// An Observer measures the stages of a chain, see [Stage.Observe], and [Stage.Mermaid]
// draws the figures. The zero value is ready. One observer
// watches one chain, in any number of runs, whose figures add up. It is safe for
// concurrent use, also while the chain runs, and costs next to nothing: counts
// are read off the rings between stages, and clocks only when a goroutine
// parks.
type Observer struct {
	mu     sched.Mutex
	names  []string
	edges  []Edge
	past   Stats                // sums over the runs that have ended
	active map[*record]struct{} // the runs that have not
}

// Observe returns s with o measuring its stages in every run of it, and [Stage.Mermaid]
// drawing the figures. Stages that an inner Observe watches are
// measured there.
func (s Stage[In, Out]) Observe(o *Observer) Stage[In, Out] {
	s.require("Observe")
	misuse.Nil(o == nil, "pipeline: Observe: observer")
	o.register(s.shape)
	watched := s
	watched.shape.watch = o
	watched.inline = nil
	watched.connect = func(sc scope, out *edge[Out]) (*lifetime, *edge[In]) {
		sc.rec, sc.index = &record{meters: make([]meter, len(s.shape.nodes))}, 0
		life, in := s.connect(sc, out)
		o.begin(sc.run, sc.rec)
		return life, in
	}
	return watched
}

// StageStats are the figures of one stage. A Buffer is part of the way between its
// neighbours, and only Name is set for it.
//
// Further attempts of [WithRetry] are not counted. The counts of a run that has ended are exact,
// however it ended:
//
//   - In = Done + Skipped + Failed + Discarded.
//   - After a clean end, that of an [Until] included, In of the first stage is the number of items
//     that were read.
//   - Out minus In of the next stage is how many values were discarded between the two. An
//     [OnDiscard] between them receives these values, and counts them as Discarded.
type StageStats struct {
	Name      string // as set by [WithName]
	In        uint64 // items that the stage has begun to work on
	Done      uint64 // items worked off; during a run, also those in work
	Skipped   uint64 // items dropped by a Filter, by ErrSkip or by an error handler
	Failed    uint64 // items that ended the run, or failed when it had ended
	Discarded uint64 // items given up since the run had ended, or a branch had enough
	Out       uint64 // values sent
	Depth     int    // items on their way to the stage now
	Workers   int    // the most goroutines that the stage has had at once

	// Busy, Blocked and Waiting are how long the goroutines of the stage have been at
	// work, parked because downstream is busy, and parked for want of input: the sum over
	// them. Work is everything else, so a function that sleeps is at work. Stages that
	// share a goroutine by [Fuse] share these.
	Busy, Blocked, Waiting time.Duration
}

// String returns the counts in one line.
func (s StageStats) String() string {
	return fmt.Sprintf("%s: in %d, done %d, skipped %d, failed %d, discarded %d, out %d",
		s.Name, s.In, s.Done, s.Skipped, s.Failed, s.Discarded, s.Out)
}

// Stats are the figures of all stages of a chain, from the first to the last.
type Stats []StageStats

// String returns a line for each stage.
func (s Stats) String() string {
	lines := make([]string, len(s))
	for i, stage := range s {
		lines[i] = stage.String()
	}
	return strings.Join(lines, "\n")
}

// Stage returns the figures of the first stage of this name, zero figures if there is
// none.
func (s Stats) Stage(name string) StageStats {
	if i := slices.IndexFunc(s, func(st StageStats) bool { return st.Name == name }); i >= 0 {
		return s[i]
	}
	return StageStats{Name: name}
}

// Stats returns the figures of all stages, those of past runs included. During a run,
// figures of one stage may be from moments that are a few items apart.
func (o *Observer) Stats() Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	stats := make(Stats, len(o.names))
	copy(stats, o.past)
	for i, name := range o.names {
		stats[i].Name = name
	}
	for rec := range o.active {
		rec.addTo(stats, false)
	}
	return stats
}

// An Edge is a way that items take from one stage of a chain to another.
type Edge struct {
	From, To int    // indexes of the stages in Stats
	Label    string // the name of the branch, or ""
	Fused    bool   // a call between stages that share a goroutine, see [Fuse]
}

// Edges returns how the stages in [Observer.Stats] are connected. A stage to which no edge
// leads receives the items of the source; what a stage sends from which none leads is the
// output. The result is empty before [Stage.Observe] and for a single stage.
func (o *Observer) Edges() []Edge {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.edges)
}

func (o *Observer) register(sh shape) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.names == nil {
		for _, n := range sh.nodes {
			o.names = append(o.names, n.name)
		}
		o.edges = sh.edges
		return
	}
	if len(o.names) != len(sh.nodes) {
		panic(fmt.Sprintf("pipeline: Observe: observer watches a chain of %d stages already, got one of %d", len(o.names), len(sh.nodes)))
	}
}

// begin adds the record of a run whose stages are connected, for the time that it lasts.
func (o *Observer) begin(r *run, rec *record) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.active == nil {
		o.active = map[*record]struct{}{}
	}
	o.active[rec] = struct{}{}
	r.ended = append(r.ended, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.active, rec)
		if o.past == nil {
			o.past = make(Stats, len(o.names))
		}
		rec.addTo(o.past, true)
	})
}
