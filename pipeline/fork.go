package pipeline

import (
	"context"
	"sync/atomic"

	"github.com/tandemgo/tandem/internal/link"
	"github.com/tandemgo/tandem/internal/point"
)

// everyBranch is the result of the function of a fork for an item that goes
// through all of them.
const everyBranch = -1

// fork returns a stage that sends each item to the branch that choose returns,
// and the results of the branches on. call is the public function.
func fork[In, Out any](call, name string, labels []string, branches []Stage[In, Out], choose func(context.Context, In) (int, error), opts ...Option) Stage[In, Out] {
	if len(branches) == 0 {
		panic("pipeline: " + call + ": there must be at least one branch")
	}
	shapes := make([]shape, len(branches))
	for i, b := range branches {
		b.require(call)
		shapes[i] = b.shape
	}
	n := named(call, name, "", opts)
	choosing := step[In, int]{newOptions("", n.name, nil), choose, nil}
	return inlined(forked(n, labels, shapes), func(s scope, out outlet[Out]) (context.Context, outlet[In]) {
		f := &forking[In]{}
		var ctx context.Context
		ctx, f.enough = s.run.within(s.ctx)
		f.worker = newWorker(choosing, s.under(ctx), func(int, bool) {})
		s.begins(func() uint64 { return f.begun })
		f.wanted.Store(int32(len(branches)))
		j := &joint[Out]{ctx: s.ctx, gate: link.NewGate(), out: out, left: len(branches)}
		at := 1
		for _, b := range branches {
			up, in := connectTo(s.at(at), b, j)
			sends[In](s, in)
			bell := s.run.bell(up)
			to := &branch[In]{hop: in, over: &bell.over}
			f.branches = append(f.branches, to)
			if up != s.ctx { // there is a Take in it
				bell.add(ringing(func() {
					if context.Cause(up) == errEnough {
						f.drop(to) // though no item may come
					}
				}))
			}
			at += len(b.shape.nodes)
		}
		return ctx, f
	})
}

// A forking is a fork in one run.
type forking[In any] struct {
	worker[In, int]
	branches []*branch[In]
	wanted   atomic.Int32 // how many branches have not had enough
	enough   func()
}

// A branch is the way to one branch of a fork.
type branch[In any] struct {
	*hop[In]
	over    *atomic.Bool // it has had enough, as with a Take, or the fork has
	dropped atomic.Bool  // it does not count as wanted any more
}

func (f *forking[In]) send(v In) error {
	i, keep, err := f.work(v)
	if err != nil || !keep {
		return err
	}
	sent := false
	if i != everyBranch {
		sent, err = f.sendTo(f.branches[i], v)
	} else {
		for _, to := range f.branches {
			ok, end := f.sendTo(to, v)
			sent = sent || ok
			if err = end; err != nil {
				break
			}
		}
	}
	if !sent {
		f.meter.discard()
	}
	return err
}

// sendTo reports whether v was made for the branch: it has not had enough.
func (f *forking[In]) sendTo(to *branch[In], v In) (sent bool, err error) {
	if !to.over.Load() {
		if to.send(v) == nil {
			return true, nil
		}
		sent = true
	}
	if f.ended() {
		return sent, cause(f.ctx)
	}
	point.At("pipeline: a branch has had enough")
	f.drop(to) // only what is in front of a Take in that branch has ended
	return sent, nil
}

// drop notes that a branch has had enough. The fork ends when all have.
func (f *forking[In]) drop(to *branch[In]) {
	if !to.dropped.Swap(true) && f.wanted.Add(-1) == 0 {
		f.enough()
	}
}

func (f *forking[In]) end() {
	for _, to := range f.branches {
		to.end()
	}
	f.enough() // or it would stay until the run ends
}

// A joint brings the results of branches together.
type joint[Out any] struct {
	ctx  context.Context
	gate *link.Gate
	out  outlet[Out]
	left int // branches that have not ended; guarded by the gate
}

// connectTo connects a branch to j.
func connectTo[In, Out any](s scope, branch Stage[In, Out], j *joint[Out]) (context.Context, *hop[In]) {
	to := &lane[Out]{joint: j, lost: func(v Out) { refuse(j.out, v) }}
	if branch.inline != nil {
		return drive[In](s, to, branch.inline)
	}
	out := newHop[Out](s.run, s.ctx)
	behind, ok := j.out.(*hop[Out])
	out.keeps = ok && behind.keeps
	s.run.settle(func() {
		if out.keeps && out.discard == nil {
			for _, v := range out.rest() {
				behind.refuse(v)
			}
		}
	})
	ctx, in := branch.connect(s, out)
	if out.discard != nil {
		to.lost = out.giveBack
	}
	s.run.spawn(func() {
		if pass(s.ctx, out, to) != nil {
			s.run.interrupted()
			return
		}
		point.At("pipeline: before a branch ends")
		to.end()
	})
	return ctx, in
}

// A lane is where one branch ends.
type lane[Out any] struct {
	*joint[Out]
	n    atomic.Uint64
	lost func(Out) // takes what cannot be sent, as the run has ended
}

func (l *lane[Out]) send(v Out) error {
	l.n.Add(1)
	if err := l.gate.Enter(l.ctx); err != nil {
		l.lost(v)
		return err
	}
	defer l.gate.Leave() // a stage that is fused behind may call Goexit
	return l.out.send(v)
}

func (l *lane[Out]) end() {
	if l.gate.Enter(l.ctx) != nil {
		return
	}
	defer l.gate.Leave()
	if l.left--; l.left == 0 {
		l.out.end()
	}
}

func (l *lane[Out]) Sent() uint64  { return l.n.Load() }
func (l *lane[Out]) Freed() uint64 { return l.n.Load() }
