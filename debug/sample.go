package debug

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/inflight"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/ratelimit"
)

// A snapshot has the figures for the page and for scripts.
type snapshot struct {
	Time       time.Time
	Pools      []figures[pool.Stats]
	Pipelines  []chain
	Inflight   []figures[inflight.Stats]
	Limiters   []limiter
	Keyed      []figures[ratelimit.KeyedStats]
	Broadcasts []figures[broadcast.Stats]
	Errors     []failure
}

type figures[S Stats] struct {
	Name  string
	Stats S
}

type chain struct {
	Name   string
	Stages pipeline.Stats
	Edges  []pipeline.Edge
}

type limiter struct {
	Name  string
	Limit string // what String of the limiter returns, if it has that
	Stats ratelimit.Stats
}

type failure struct{ Name, Error string }

// A source adds the figures of one thing to snapshots.
type source struct {
	name string
	kind string
	add  func(*snapshot)
}

func newSource[S Stats](name string, x interface{ Stats() S }) source {
	return source{name, fmt.Sprintf("%T", *new(S)), func(to *snapshot) {
		switch s := any(x.Stats()).(type) {
		case pool.Stats:
			to.Pools = append(to.Pools, figures[pool.Stats]{name, s})
		case pipeline.Stats:
			c := chain{Name: name, Stages: append(pipeline.Stats{}, s...), Edges: []pipeline.Edge{}}
			if x, ok := x.(interface{ Edges() []pipeline.Edge }); ok {
				c.Edges = append(c.Edges, x.Edges()...)
			}
			to.Pipelines = append(to.Pipelines, c)
		case inflight.Stats:
			to.Inflight = append(to.Inflight, figures[inflight.Stats]{name, s})
		case ratelimit.Stats:
			l := limiter{Name: name, Stats: s}
			if x, ok := x.(fmt.Stringer); ok {
				l.Limit = x.String()
			}
			to.Limiters = append(to.Limiters, l)
		case ratelimit.KeyedStats:
			to.Keyed = append(to.Keyed, figures[ratelimit.KeyedStats]{name, s})
		case broadcast.Stats:
			if s.Subscriptions == nil {
				s.Subscriptions = []broadcast.SubscriptionStats{}
			}
			to.Broadcasts = append(to.Broadcasts, figures[broadcast.Stats]{name, s})
		}
	}}
}

// sample returns a snapshot as JSON.
func (h *Handler) sample() []byte {
	h.mu.Lock()
	sources := slices.Clone(h.sources)
	h.mu.Unlock()
	s := snapshot{
		Time: time.Now(), Pools: []figures[pool.Stats]{}, Pipelines: []chain{},
		Inflight: []figures[inflight.Stats]{}, Limiters: []limiter{}, Keyed: []figures[ratelimit.KeyedStats]{},
		Broadcasts: []figures[broadcast.Stats]{}, Errors: []failure{},
	}
	for _, src := range sources {
		outcome.Run(func() (struct{}, error) { src.add(&s); return struct{}{}, nil }, func(_ struct{}, err error) {
			if err != nil {
				s.Errors = append(s.Errors, failure{src.name, err.Error()})
			}
		})
	}
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // all of it is plain data
	}
	return text
}
