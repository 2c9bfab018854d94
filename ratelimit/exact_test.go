package ratelimit_test

import (
	"context"
	"errors"
	"math/big"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// A script drives a limiter and an oracle side by side, and a parent if there is one.
type script struct {
	t     *testing.T
	seed  uint64
	rnd   dice
	more  func() bool // whether there is a next step; nil: yes
	ls    []*ratelimit.Limiter
	os    []*oracle
	start time.Time // of the bubble
	wait  map[int64]*scriptWaiter
	last  int64
	held  []*scriptReservation
}

type scriptWaiter struct {
	cancel context.CancelCauseFunc
	done   chan scriptEnd
}

type scriptEnd struct {
	at  int64
	err error
}

type scriptReservation struct {
	r    ratelimit.Reservation
	of   *oracle
	want *oracleReservation
}

var errGaveUp = errors.New("gave up")

// R1–R5, R7: for random scripts of all that one can do to a limiter, with several windows
// and a parent, it does what exact rational arithmetic says, to the permit and to the
// nanosecond. Each bubble begins at the same instant, so to go from one to the next is a
// jump back.
func TestR1R5R7ExactlyTheOracle(t *testing.T) {
	scripts := uint64(1000)
	if testing.Short() {
		scripts = 150
	}
	for seed := range scripts {
		s := &script{t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 5)), wait: map[int64]*scriptWaiter{}}
		if seed%4 == 0 {
			s.make() // the bubbles are 26 years in its past
		}
		for range 1 + s.rnd.IntN(3) {
			synctest.Test(t, s.run)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}

func (s *script) randomRate() (r ratelimit.Rate, n, d int64, unlimited bool) {
	n, d = 1+s.rnd.Int64N(20), 1+s.rnd.Int64N(1000)
	switch s.rnd.IntN(16) {
	case 0:
		n = 0
	case 1:
		return ratelimit.Unlimited, 1, 1, true
	case 2:
		n, d = 1, int64(time.Hour)
	case 3:
		n, d = 1_000_000_000, int64(time.Second)
	case 4:
		n, d = 999_999_937, int64(time.Second) // the meter must be renewed all the time
	case 5:
		n, d = 1+s.rnd.Int64N(2000), int64(time.Hour)
	case 6:
		n, d = 1+s.rnd.Int64N(1_000_000), int64(time.Second)
	}
	return ratelimit.Per(int(n), time.Duration(d)), n, d, false
}

func (s *script) randomWindow() (ratelimit.Window, *oracleWindow) {
	r, n, d, unlimited := s.randomRate()
	burst := s.rnd.Int64N(9)
	return ratelimit.Window{Rate: r, Burst: int(burst)}, &oracleWindow{n: n, d: d, unlimited: unlimited, burst: burst, owed: new(big.Rat)}
}

// make makes a limiter, alone or with a parent, each with up to three windows.
func (s *script) make() {
	var parent *ratelimit.Limiter
	var above *oracle
	depth := 1 + s.rnd.IntN(4)/2
	for range depth {
		w, ow := s.randomWindow()
		o := &oracle{parent: above, windows: []*oracleWindow{ow}}
		opts := []ratelimit.Option{nil}
		least := ow.burst
		for range max(0, s.rnd.IntN(5)-2) {
			w, ow := s.randomWindow()
			o.windows = append(o.windows, ow)
			opts = append(opts, ratelimit.WithWindow(w.Rate, w.Burst))
			least = min(least, ow.burst)
		}
		if parent != nil {
			opts = append(opts, ratelimit.WithParent(parent))
		}
		spent := s.rnd.Int64N(least + 1)
		if depth > 1 && time.Now().Year() > 2020 {
			spent = 0 // some of it would come back, outside of a bubble, when the other is made
		}
		opts = append(opts, ratelimit.WithSpent(int(spent)))
		o.spendHere(spent)
		l := ratelimit.New(w.Rate, w.Burst, opts...)
		s.ls, s.os = append(s.ls, l), append(s.os, o)
		parent, above = l, o
	}
}

// last is the limiter that has the other, if there is one, as its parent.
func (s *script) bottom() *oracle { return s.os[len(s.os)-1] }

func (s *script) run(t *testing.T) {
	s.t, s.start = t, time.Now()
	if s.ls == nil {
		s.make()
	}
	for _, l := range s.ls {
		_ = l.Stats() // it notices when it is used
	}
	s.bottom().jump(0)
	s.held = nil
	for step := range 40 {
		if s.more != nil && !s.more() {
			break
		}
		s.step()
		synctest.Wait()
		s.settle(s.bottom().run(s.now()))
		if t.Failed() {
			t.Fatalf("seed %d, step %d: %v", s.seed, step, s.ls)
		}
	}
	for len(s.wait) > 0 {
		s.giveUp(s.waiting()[0])
	}
	for _, l := range s.ls {
		_ = l.Stats() // the limiter knows what is owed when the clock goes back
	}
}

func (s *script) now() int64 { return int64(time.Since(s.start)) }

func (s *script) step() {
	i := s.rnd.IntN(len(s.ls))
	if s.rnd.IntN(2) == 0 {
		i = len(s.ls) - 1
	}
	l, o := s.ls[i], s.os[i]
	k := 1 + s.rnd.Int64N(o.windows[0].burst+1)
	switch s.rnd.IntN(16) {
	case 0, 1:
		if got, want := l.AllowN(int(k)), o.allow(k); got != want {
			s.t.Errorf("AllowN(%d): %v, want %v", k, got, want)
		}
	case 2:
		if got, ok := l.Take(int(k)), o.allow(k); got != o.decision(ok, k) {
			s.t.Errorf("Take(%d): %+v, want %+v", k, got, o.decision(ok, k))
		}
	case 3:
		if got, want := l.Peek(), o.decision(o.can(1), 1); got != want {
			s.t.Errorf("Peek: %+v, want %+v", got, want)
		}
	case 4:
		l.Charge(int(k))
		o.spend(k)
	case 5:
		s.startWait(l, o, k)
	case 6:
		s.hurry(l, o, k)
	case 7:
		if ids := s.waiting(); len(ids) > 0 {
			s.giveUp(ids[s.rnd.IntN(len(ids))])
		}
	case 8, 9:
		r, want := l.ReserveN(int(k)), o.reserve(k)
		if r.OK() != (want != nil) || r.OK() && r.Delay() != time.Duration(want.at-o.now) {
			s.t.Errorf("ReserveN(%d): %v in %v, want %+v at %d", k, r.OK(), r.Delay(), want, o.now)
		} else if r.OK() {
			s.held = append(s.held, &scriptReservation{r, o, want})
		}
	case 10, 11:
		if len(s.held) > 0 {
			h := s.held[s.rnd.IntN(len(s.held))]
			actual := max(0, s.rnd.Int64N(h.want.n+4)-2)
			if got, want := h.r.Settle(int(actual)), h.of.settle(h.want, actual); int64(got) != want {
				s.t.Errorf("Settle(%d): %d, want %d", actual, got, want)
			}
		}
	case 12:
		if s.rnd.IntN(2) == 0 {
			r, n, d, unlimited := s.randomRate()
			l.SetRate(r)
			o.set(n, d, unlimited, o.windows[0].burst)
		} else if len(s.held) > 0 {
			h := s.held[s.rnd.IntN(len(s.held))]
			due := max(s.now(), h.want.at)
			if err := h.r.Wait(s.t.Context()); err != nil || s.now() != due || h.r.Delay() != 0 {
				s.t.Errorf("Reservation.Wait: %v at %d, want none at %d", err, s.now(), due)
			}
		}
	case 13:
		if w := o.windows[0]; s.rnd.IntN(2) == 0 {
			burst := s.rnd.Int64N(9)
			l.SetBurst(int(burst))
			o.set(w.n, w.d, w.unlimited, burst)
		}
	default:
		s.sleep(o)
	}
	synctest.Wait()
	s.refused()
}

// refused are the callers that wait for more than a burst.
func (s *script) refused() {
	for {
		ids := s.bottom().tooLarge()
		if len(ids) == 0 {
			return
		}
		for _, id := range ids {
			s.ended(id, s.bottom().now, ratelimit.ErrExceedsBurst)
			s.bottom().giveUp(id)
		}
	}
}

// sleep lets about so much time pass as matters at this rate.
func (s *script) sleep(o *oracle) {
	scale := int64(1000)
	if w := o.windows[s.rnd.IntN(len(o.windows))]; w.n > 0 {
		f, _ := new(big.Rat).Quo(rat(w.burst+1), w.rate()).Float64()
		scale = int64(min(f, float64(365*24*time.Hour))) + 1
	}
	if s.rnd.IntN(4) == 0 {
		scale = min(scale*100, int64(2*365*24*time.Hour))
	}
	time.Sleep(time.Duration(1 + s.rnd.Int64N(scale)))
}

func (s *script) startWait(l *ratelimit.Limiter, o *oracle, k int64) {
	ctx, cancel := context.WithCancelCause(s.t.Context())
	w := &scriptWaiter{cancel: cancel, done: make(chan scriptEnd, 1)}
	s.last++
	id := s.last
	s.wait[id] = w
	go func() {
		err := l.WaitN(ctx, int(k))
		w.done <- scriptEnd{s.now(), err}
	}()
	synctest.Wait()
	switch {
	case o.exceeds(k):
		s.ended(id, o.now, ratelimit.ErrExceedsBurst)
	case o.allow(k):
		s.ended(id, o.now, nil)
	default:
		o.wait(k, id)
	}
}

// hurry waits with a deadline a nanosecond too early.
func (s *script) hurry(l *ratelimit.Limiter, o *oracle, k int64) {
	delay := o.delay(k, 0)
	if delay <= 1 || o.exceeds(k) {
		return
	}
	if delay == ratelimit.Never {
		delay = time.Hour
	}
	ctx, cancel := context.WithDeadline(s.t.Context(), time.Now().Add(delay-1))
	defer cancel()
	if err := l.WaitN(ctx, int(k)); !errors.Is(err, context.DeadlineExceeded) || s.now() != o.now {
		s.t.Errorf("WaitN(%d) %v too early: %v after %v", k, delay, err, s.now()-o.now)
	}
}

func (s *script) giveUp(id int64) {
	s.wait[id].cancel(errGaveUp)
	synctest.Wait()
	s.ended(id, s.bottom().now, errGaveUp)
	s.bottom().giveUp(id)
	s.settle(s.bottom().run(s.now()))
}

// settle compares who was granted.
func (s *script) settle(want map[int64]int64) {
	for id, at := range want {
		s.ended(id, at, nil)
	}
	for id, w := range s.wait {
		select {
		case end := <-w.done:
			s.t.Errorf("waiter %d has ended at %d: %v", id, end.at, end.err)
		default:
		}
	}
}

func (s *script) ended(id int64, at int64, err error) {
	w := s.wait[id]
	if w == nil {
		s.t.Errorf("waiter %d should have ended at %d with %v once more", id, at, err)
		return
	}
	delete(s.wait, id)
	w.cancel(nil)
	select {
	case end := <-w.done:
		if end.at != at || !errors.Is(end.err, err) {
			s.t.Errorf("waiter %d ended at %d with %v, want %d with %v", id, end.at, end.err, at, err)
		}
	default:
		s.t.Errorf("waiter %d has not ended at %d, want %d with %v", id, s.now(), at, err)
	}
}
