package pipeline

import (
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/stage"
)

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
	c := &counter[T]{sink: to}
	s.rec.meters[s.index+index].from = c
	return c
}

// A counter counts the items that are sent, on one goroutine at a time.
type counter[T any] struct {
	sink[T]
	tally
}

func (c *counter[T]) send(v T) error {
	c.n.Add(1)
	return c.sink.send(v)
}

// A tally is a gauge of items that are received as they are sent.
type tally struct{ n sched.Counter }

func (t *tally) Sent() uint64  { return t.n.Load() }
func (t *tally) Freed() uint64 { return t.n.Load() }

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
