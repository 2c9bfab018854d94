package ratelimit_test

import (
	"context"
	"errors"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// A script drives a limiter and an oracle side by side.
type script struct {
	t      *testing.T
	seed   uint64
	rnd    dice
	more   func() bool // whether there is a next step; nil: yes
	l      *ratelimit.Limiter
	o      *oracle
	start  time.Time // of the bubble
	wait   map[int]*scriptWaiter
	lastID int
	held   []scriptReservation
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
	r  ratelimit.Reservation
	id int // in the oracle; 0 if granted at once
}

var errGaveUp = errors.New("gave up")

// R1–R5, R7: for random scripts of all that one can do to a limiter, it does what
// exact rational arithmetic says, to the permit and to the nanosecond. Each bubble
// begins at the same instant, so to go from one to the next is a jump back.
func TestR1R5R7ExactlyTheOracle(t *testing.T) {
	scripts := uint64(1000)
	if testing.Short() {
		scripts = 150
	}
	for seed := range scripts {
		s := &script{t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 5)), wait: map[int]*scriptWaiter{}}
		if seed%4 == 0 {
			s.make() // the bubbles are 26 years in its past
			s.o.outside = true
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
		n, d = 1, int64(200*365*24*time.Hour)
	case 3:
		n, d = 1_000_000_000, int64(time.Second)
	case 4:
		n, d = 999_999_937, int64(time.Second) // the word must be put on a new epoch all the time
	case 5:
		n, d = 1+s.rnd.Int64N(2000), int64(time.Hour)
	case 6:
		n, d = 1<<62-s.rnd.Int64N(1000), 1+s.rnd.Int64N(1<<62) // too fine for a word
	case 7:
		n, d = 1+s.rnd.Int64N(1_000_000), int64(time.Second)
	}
	return ratelimit.Per(int(n), time.Duration(d)), n, d, false
}

func (s *script) make() {
	r, n, d, unlimited := s.randomRate()
	burst := s.rnd.Int64N(9)
	spent := s.rnd.Int64N(burst + 1)
	s.l = ratelimit.New(r, int(burst), ratelimit.WithSpent(int(spent)))
	s.o = &oracle{owed: new(big.Rat), n: n, d: d, unlimited: unlimited, burst: burst}
	s.o.charge(spent)
}

func (s *script) run(t *testing.T) {
	s.t, s.start = t, time.Now()
	if s.l == nil {
		s.make()
	}
	s.l.SetBurst(int(s.o.burst)) // it notices when it is used
	for step := range 40 {
		if s.more != nil && !s.more() {
			break
		}
		s.step()
		synctest.Wait()
		s.settle(s.o.run(s.now()))
		if t.Failed() {
			t.Fatalf("seed %d, step %d: %v", s.seed, step, s.l)
		}
	}
	for len(s.wait) > 0 {
		s.giveUp(s.waiting()[0])
	}
	s.leave()
}

func (s *script) now() int64 { return int64(time.Since(s.start)) }

// leave does what is needed for the oracle to know what the limiter knows when
// the clock goes back, and moves the oracle back.
func (s *script) leave() {
	s.l.SetBurst(int(s.o.burst))
	known := true
	period := new(big.Rat).SetInt64(s.o.d)
	if s.o.n > 0 {
		period = new(big.Rat).SetInt(big.NewRat(s.o.n, s.o.d).Denom())
	}
	capacity := period.Mul(period, new(big.Rat).SetInt64(s.o.burst))
	inWord := s.o.n < 1<<32 && capacity.Cmp(new(big.Rat).SetInt64(1<<60)) <= 0 && len(s.o.pins) == 0
	if s.rnd.IntN(2) == 0 && s.l.Allow() {
		s.o.allow(1)
		known = !inWord
	}
	s.o.jump(0, known)
}

func (s *script) count() int64 { return 1 + s.rnd.Int64N(s.o.burst+1) }

func (s *script) step() {
	k := s.count()
	switch s.rnd.IntN(12) {
	case 0, 1:
		if got, want := s.l.AllowN(int(k)), s.o.allow(k); got != want {
			s.t.Errorf("AllowN(%d): %v, want %v", k, got, want)
		}
	case 2:
		if got, want := s.l.Take(int(k)), s.o.take(k); got != want {
			s.t.Errorf("Take(%d): %+v, want %+v", k, got, want)
		}
	case 3:
		s.startWait(k)
	case 4:
		s.hurry(k)
	case 5:
		if ids := s.waiting(); len(ids) > 0 {
			s.giveUp(ids[s.rnd.IntN(len(ids))])
		}
	case 6:
		s.reserve(k)
	case 7:
		if i := s.rnd.IntN(len(s.held) + 1); i < len(s.held) {
			h := s.held[i]
			h.r.Cancel()
			s.o.pins = slices.DeleteFunc(s.o.pins, func(p oraclePin) bool { return p.id == h.id })
			s.held = slices.Delete(s.held, i, i+1)
		}
	case 8:
		if s.rnd.IntN(3) == 0 {
			r, n, d, unlimited := s.randomRate()
			s.l.SetRate(r)
			s.o.setRate(n, d, unlimited)
		}
	case 9:
		if s.rnd.IntN(3) == 0 {
			burst := s.rnd.Int64N(9)
			s.l.SetBurst(int(burst))
			for _, id := range s.o.setBurst(burst) {
				synctest.Wait()
				s.ended(id, s.o.now, ratelimit.ErrExceedsBurst)
			}
		}
	default:
		s.sleep()
	}
}

// sleep lets about so much time pass as matters at this rate.
func (s *script) sleep() {
	scale := int64(1000)
	if s.o.n > 0 {
		f, _ := new(big.Rat).Quo(new(big.Rat).SetInt64(s.o.burst+1), s.o.rate()).Float64()
		scale = int64(min(f, float64(365*24*time.Hour))) + 1
	}
	if s.rnd.IntN(4) == 0 {
		scale = min(scale*100, int64(2*365*24*time.Hour))
	}
	time.Sleep(time.Duration(1 + s.rnd.Int64N(scale)))
}

func (s *script) startWait(k int64) {
	ctx, cancel := context.WithCancelCause(s.t.Context())
	w := &scriptWaiter{cancel: cancel, done: make(chan scriptEnd, 1)}
	s.lastID++
	id := s.lastID
	s.wait[id] = w
	exceeds := k > s.o.burst && !s.o.unlimited
	go func() {
		err := s.l.WaitN(ctx, int(k))
		w.done <- scriptEnd{s.now(), err}
	}()
	synctest.Wait()
	switch {
	case exceeds && !s.o.unlimited:
		s.ended(id, s.o.now, ratelimit.ErrExceedsBurst)
	case s.o.allow(k):
		s.ended(id, s.o.now, nil)
	default:
		s.o.line = append(s.o.line, oracleWaiter{k, id})
	}
}

// hurry waits with a deadline a nanosecond too early.
func (s *script) hurry(k int64) {
	delay := s.o.delay(k)
	if delay == 0 || k > s.o.burst {
		return
	}
	if delay == ratelimit.Never {
		delay = time.Hour
	}
	ctx, cancel := context.WithDeadline(s.t.Context(), time.Now().Add(delay-1))
	defer cancel()
	if delay == 1 {
		return // it has passed already
	}
	if err := s.l.WaitN(ctx, int(k)); !errors.Is(err, context.DeadlineExceeded) || s.now() != s.o.now {
		s.t.Errorf("WaitN(%d) %v too early: %v after %v", k, delay, err, s.now()-s.o.now)
	}
}

func (s *script) giveUp(id int) {
	s.wait[id].cancel(errGaveUp)
	synctest.Wait()
	s.ended(id, s.o.now, errGaveUp)
	s.o.line = slices.DeleteFunc(s.o.line, func(w oracleWaiter) bool { return w.id == id })
	s.settle(s.o.run(s.now()))
}

func (s *script) reserve(k int64) {
	want := s.o.delay(k)
	r := s.l.ReserveN(int(k))
	if r.OK() != (want != ratelimit.Never) || r.Delay() != want {
		s.t.Errorf("ReserveN(%d): %v in %v, want %v", k, r.OK(), r.Delay(), want)
	}
	if r.OK() {
		s.held = append(s.held, scriptReservation{r, s.o.pin(s.o.now+int64(want), k)})
	}
}

// settle compares who was granted.
func (s *script) settle(want map[int]int64) {
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

func (s *script) ended(id int, at int64, err error) {
	w := s.wait[id]
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
