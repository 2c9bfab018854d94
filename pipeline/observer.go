package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/stage"
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

// A record has the figures of one run: a meter for each stage.
type record struct{ meters []meter }

func (rec *record) addTo(stats Stats, ended bool) {
	for i := range rec.meters {
		rec.meters[i].addTo(&stats[i], ended)
	}
}

// A meter measures one stage in one run. Fields that are not atomic are set before the run starts.
type meter struct {
	from  gauge         // it receives from it
	begun func() uint64 // how many items it has begun; not to be called during the run
	left  func() uint64 // how many it has begun and still holds, as begun; may be nil
	to    []gauge       // it sends to them
	team  *team

	skipped, failed, discarded sched.Counter
}

// A gauge counts the items that go by. It is an edge, or a counter between stages
// that are fused.
type gauge interface {
	Sent() uint64
	Freed() uint64
}

func (m *meter) addTo(s *StageStats, ended bool) {
	if m.from == nil {
		return // a Buffer, or not yet begun
	}
	skipped, failed, discarded := m.skipped.Load(), m.failed.Load(), m.discarded.Load()
	var in uint64
	if ended {
		in = m.begun()
		if m.left != nil {
			discarded += m.left()
		}
	} else {
		// One of the items that are not given back yet is in hand.
		freed := m.from.Freed()
		sent := m.from.Sent()
		in = max(min(sent, freed+1), skipped+failed+discarded)
		s.Depth += int(max(sent, in) - in)
	}
	for _, g := range m.to {
		s.Out += g.Sent()
	}
	s.In += in
	s.Done += in - skipped - failed - discarded
	s.Skipped += skipped
	s.Failed += failed
	s.Discarded += discarded
	if m.team != nil {
		s.Workers = max(s.Workers, m.team.alive.Most())
		s.Blocked += m.team.blocks.Total()
		s.Waiting += m.team.waits.Total()
		s.Busy += max(0, m.team.alive.Total()-m.team.blocks.Total()-m.team.waits.Total())
	}
}

// A team is the goroutines that work together on one stage, or the one that
// works on several. A nil team is not observed.
type team struct {
	alive, waits, blocks stage.Clock
}

// timed returns loop, timed.
func (t *team) timed(loop func()) func() {
	if t == nil {
		return loop
	}
	return func() {
		t.alive.Turn(1)
		defer t.alive.Turn(-1)
		loop()
	}
}

// clocks returns the clocks for waiting and for being blocked.
func (t *team) clocks() (waits, blocks *stage.Clock) {
	if t == nil {
		return nil, nil
	}
	return &t.waits, &t.blocks
}

// counting returns to, with the items counted that are sent to it, between two fused
// stages, the second of which is at index. It returns to itself if the run is not
// observed.
func counting[T any](s scope, index int, to sink[T]) sink[T] {
	if s.rec == nil {
		return to
	}
	c := &counter[T]{between: between[T]{to}}
	s.rec.meters[s.index+index].from = c
	return c
}

// A counter counts the items that are sent, on one goroutine at a time.
type counter[T any] struct {
	between[T]
	n sched.Counter
}

func (c *counter[T]) send(v T) error {
	c.n.Add(1)
	return c.out.send(v)
}

func (c *counter[T]) Sent() uint64  { return c.n.Load() }
func (c *counter[T]) Freed() uint64 { return c.n.Load() }

// meter returns the meter of the stage in scope s. If the run is not observed, it is one
// that is not read.
func (s scope) meter() *meter {
	if s.rec == nil {
		return new(meter)
	}
	m := &s.rec.meters[s.index]
	m.team = s.team
	return m
}

func (s scope) newTeam() *team {
	if s.rec == nil {
		return nil
	}
	return new(team)
}

// receives and sends have the stage in scope s measured at its ends.
func receives[T any](s scope, in *edge[T]) {
	s.meter().from = in
	in.waits, _ = s.team.clocks()
}

func sends[T any](s scope, out sink[T]) {
	_, blocks := s.team.clocks()
	passes(s, out, blocks)
}

// passes is sends with a clock for the time that senders are blocked, which may be nil.
func passes[T any](s scope, out sink[T], blocks *stage.Clock) {
	if g, ok := out.(gauge); ok {
		m := s.meter()
		m.to = append(m.to, g)
	}
	if e, ok := out.(*edge[T]); ok {
		e.blocks = blocks
	}
}
