package pipeline

import (
	"context"

	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/stage"
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
	return inlined(forked(n, labels, shapes), func(s scope, out sink[Out]) (*lifetime, sink[In]) {
		f := &forking[In]{}
		life := s.run.within(s.life)
		f.worker = newWorker(choosing, s.under(life), func(int, bool) {})
		s.meter().begun = func() uint64 { return f.begun }
		f.wanted.Store(uint64(len(branches)))
		j := &joint[Out]{life: s.life, mu: stage.NewMutex(nil), out: out, left: len(branches)}
		at := 1
		for _, b := range branches {
			up, in := connectTo(s.at(at), b, j)
			sends[In](s, in)
			to := &branch[In]{edge: in, life: up}
			f.branches = append(f.branches, to)
			if up != s.life { // there is a Take in it
				up.wakes = append(up.wakes, func() {
					if context.Cause(up) == errEnough {
						f.drop(to) // though no item may come
					}
				})
			}
			at += len(b.shape.nodes)
		}
		return life, f
	})
}

// A forking is a fork in one run.
type forking[In any] struct {
	worker[In, int]
	branches []*branch[In]
	wanted   sched.Uint64 // how many branches have not had enough
}

// A branch is the way to one branch of a fork.
type branch[In any] struct {
	*edge[In]
	life    *lifetime  // over when the branch has had enough, as with a Take, or the fork has
	dropped sched.Bool // it does not count as wanted any more
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
		f.meter.discarded.Add(1)
	}
	return err
}

// sendTo reports whether v was made for the branch: it has not had enough.
func (f *forking[In]) sendTo(to *branch[In], v In) (sent bool, err error) {
	if !to.life.over.Load() {
		if to.send(v) == nil {
			return true, nil
		}
		sent = true
	}
	if f.ended() {
		return sent, f.life.cause()
	}
	f.drop(to) // only what is in front of a Take in that branch has ended
	return sent, nil
}

// drop notes that a branch has had enough. The fork ends when all have.
func (f *forking[In]) drop(to *branch[In]) {
	if !to.dropped.Swap(true) && f.wanted.Add(^uint64(0)) == 0 {
		f.life.end(errEnough)
	}
}

func (f *forking[In]) caught(error) (error, bool) { return nil, false }

func (f *forking[In]) end() {
	for _, to := range f.branches {
		to.end()
	}
	f.life.end(errEnough) // or it would stay until the run ends
}

// A joint brings the results of branches together.
type joint[Out any] struct {
	life *lifetime
	mu   *stage.Mutex
	out  sink[Out]
	left int // branches that have not ended; guarded by mu
}

// connectTo connects a branch to j.
func connectTo[In, Out any](s scope, branch Stage[In, Out], j *joint[Out]) (*lifetime, *edge[In]) {
	to := &lane[Out]{joint: j, lost: func(v Out) { refuse(j.out, v) }}
	if branch.inline != nil {
		return drive(s, sink[Out](to), branch.inline)
	}
	out := newEdge[Out](s.life)
	behind, ok := j.out.(*edge[Out])
	out.keeps = ok && behind.keeps
	s.run.settle(func() {
		if out.keeps && out.discard == nil {
			for _, v := range out.rest() {
				behind.refuse(v)
			}
		}
	})
	life, in := branch.connect(s, out)
	if out.discard != nil {
		to.lost = out.giveBack
	}
	s.run.spawn(func() {
		if out.passAll(to) != nil {
			s.run.interrupted()
		}
	})
	return life, in
}

// A lane is where one branch ends.
type lane[Out any] struct {
	*joint[Out]
	tally
	lost func(Out) // takes what cannot be sent, as the run has ended
}

func (l *lane[Out]) send(v Out) error {
	l.n.Add(1)
	if err := l.mu.Lock(l.life.Context); err != nil {
		l.lost(v)
		return err
	}
	defer l.mu.Unlock() // a stage that is fused behind may call Goexit
	return sendGuarded(l.out, v)
}

func (l *lane[Out]) end() {
	if l.mu.Lock(l.life.Context) != nil {
		return
	}
	defer l.mu.Unlock()
	if l.left--; l.left == 0 {
		l.out.end()
	}
}

func (l *lane[Out]) caught(error) (error, bool) { return nil, false }
