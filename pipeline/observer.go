package pipeline

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// An Observer counts what the stages of a chain do, see [Stage.Observe]. The
// zero value is ready. One observer watches one chain, in any number of runs,
// whose counts add up. A Buffer is part of the link between its neighbours and
// counts nothing. It is safe for concurrent use.
type Observer struct {
	mu     sync.Mutex
	stages []*counters
}

// StageStats is what one stage has done so far.
type StageStats struct {
	Name    string
	In      uint64 // items received
	Out     uint64 // items sent
	Errors  uint64 // items that failed, after the last retry
	Skipped uint64 // of these, dropped by OnError
}

type counters struct {
	name                     string
	in, out, errors, skipped atomic.Uint64
}

// Stages returns the counts of all stages, from the first to the last.
func (o *Observer) Stages() []StageStats {
	o.mu.Lock()
	defer o.mu.Unlock()
	stats := make([]StageStats, len(o.stages))
	for i, c := range o.stages {
		stats[i] = StageStats{
			Name: c.name, In: c.in.Load(), Out: c.out.Load(),
			Errors: c.errors.Load(), Skipped: c.skipped.Load(),
		}
	}
	return stats
}

func (o *Observer) register(shape []node) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stages == nil {
		for _, n := range shape {
			o.stages = append(o.stages, &counters{name: n.name})
		}
		return
	}
	if len(o.stages) != len(shape) {
		panic(fmt.Sprintf("pipeline: Observe: observer watches a chain of %d stages already, got one of %d", len(o.stages), len(shape)))
	}
}

// counters returns what the stage in scope s counts in; never nil.
func (s scope) counters() *counters {
	if s.watch == nil {
		return new(counters)
	}
	return s.watch.stages[s.position] // not changed once registered
}
