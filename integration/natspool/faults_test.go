package natspool_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/integration/internal/proxy"
	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool/natspool"
)

// A load submits tasks and counts their runs during a fault.
type load struct {
	t        *testing.T
	ledger   *testkit.Ledger
	ran      atomic.Int64
	accepted []atomic.Bool
	wg       sync.WaitGroup
}

func newLoad(t *testing.T, tasks int) *load {
	return &load{t: t, ledger: testkit.NewLedger(tasks), accepted: make([]atomic.Bool, tasks)}
}

func (l *load) run(_ context.Context, id int) (int, error) {
	l.ledger.Note(id)
	l.ran.Add(1)
	return id, nil
}

// submit submits all tasks to p from several goroutines.
func (l *load) submit(p *natspool.Pool[int, int], sure bool) {
	const submitters = 4
	for s := range submitters {
		l.wg.Go(func() {
			for id := s; id < len(l.accepted); id += submitters {
				ctx, cancel := context.WithTimeout(context.Background(), maxWait)
				err := p.Go(ctx, id)
				cancel()
				switch {
				case err == nil:
					l.accepted[id].Store(true)
				case sure:
					l.t.Errorf("task %d: %v", id, err)
				}
			}
		})
	}
}

// check waits until all accepted tasks have run, and compares the repeated runs with
// the counts of the pools.
func (l *load) check(pools ...*natspool.Pool[int, int]) {
	l.t.Helper()
	l.wg.Wait()
	until(l.t, "all that was accepted runs", func() bool {
		for id := range l.accepted {
			if l.accepted[id].Load() && l.ledger.Seen(id) == 0 {
				return false
			}
		}
		return true
	})
	distinct, redelivered := 0, 0
	for id := range l.accepted {
		if l.ledger.Seen(id) > 0 {
			distinct++
		}
	}
	for _, p := range pools {
		s := p.Stats()
		redelivered += int(s.Redelivered)
		checkSum(l.t, s)
	}
	twice := l.ledger.Total() - distinct
	if twice > redelivered {
		l.t.Errorf("%d runs were not the first, but only %d are counted", twice, redelivered)
	}
	l.t.Logf("%d tasks, %d runs that were not the first, %d redeliveries counted", distinct, twice, redelivered)
}

func byNumber(id int) string { return strconv.Itoa(id) }

func TestServerRestarted(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	l, name := newLoad(t, 400), newName(t)
	w := newPool(t, connect(t, s.URL()), name, 3, l.run, natspool.WithAckWait(2*time.Second))
	p := newPool[int, int](t, connect(t, s.URL()), name, 0, nil, natspool.WithMessageID(byNumber))
	l.submit(p, true)
	for _, at := range []int64{100, 200} {
		until(t, "some tasks run", func() bool { return l.ran.Load() >= at })
		s.Stop()
		s.Start()
	}
	l.check(w)
}

// Without message ids a call cannot send again: the caller decides on unacknowledged
// tasks, and acknowledged tasks run.
func TestServerRestartedWithoutMessageIDs(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	l, name := newLoad(t, 400), newName(t)
	w := newPool(t, connect(t, s.URL()), name, 3, l.run, natspool.WithAckWait(2*time.Second))
	p := newPool[int, int](t, connect(t, s.URL()), name, 0, nil)
	l.submit(p, false)
	until(t, "some tasks run", func() bool { return l.ran.Load() >= 100 })
	s.Stop()
	s.Start()
	l.check(w)
}

// While one worker is cut off, or its connection is half open, another takes over its
// tasks; when it is back, both go on.
func TestWorkerCutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	for name, fault := range map[string]func(*proxy.Proxy){"Cut": (*proxy.Proxy).Cut, "HalfOpen": (*proxy.Proxy).Stall} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := natsserver.Start(t)
			network := proxy.New(t, s.Addr())
			l, name := newLoad(t, 300), newName(t)
			// The first worker stops in the middle of a task while it is cut off.
			begun, gate := make(chan struct{}, len(l.accepted)), make(chan struct{})
			a := newPool(t, connect(t, "nats://"+network.Addr()), name, 2, func(ctx context.Context, id int) (int, error) {
				begun <- struct{}{}
				<-gate
				return l.run(ctx, id)
			}, natspool.WithAckWait(time.Second))
			p := newPool[int, int](t, connect(t, s.URL()), name, 0, nil, natspool.WithMessageID(byNumber))
			l.submit(p, true)
			receive(t, begun, "a task begins")
			receive(t, begun, "another task begins")
			fault(network)
			b := newPool(t, connect(t, s.URL()), name, 2, l.run)
			time.Sleep(5 * time.Second) // the length of the fault
			until(t, "the other worker does what the first had", func() bool { return l.ran.Load() >= int64(len(l.accepted)) })
			network.Pass()
			close(gate)
			until(t, "the first worker ends what it had", func() bool { return a.Stats().Completed >= 2 })
			l.check(a, b)
			if twice := l.ledger.Total() - len(l.accepted); twice != 2 {
				t.Errorf("%d tasks ran twice, want the two that were cut off", twice)
			}
			// After its return it gets tasks again, now as the only worker.
			must0(b.Close())
			q := newPool[int, int](t, connect(t, s.URL()), name, 0, nil)
			if v, err := q.Do(soon(t), 1); v != 1 || err != nil {
				t.Errorf("after the cut: %d, %v", v, err)
			}
		})
	}
}

func TestSlowServer(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	network := proxy.New(t, s.Addr())
	network.Delay(200 * time.Millisecond)
	ledger := testkit.NewLedger(32)
	p := newPool(t, connect(t, "nats://"+network.Addr()), newName(t), 4, func(_ context.Context, id int) (int, error) {
		ledger.Note(id)
		return 2 * id, nil
	})
	var wg sync.WaitGroup
	for id := range 32 {
		wg.Go(func() {
			if v, err := p.Do(soon(t), id); v != 2*id || err != nil {
				t.Errorf("Do(%d) = %d, %v", id, v, err)
			}
		})
	}
	wg.Wait()
	p.Close()
	ledger.ExactlyOnce(t)
	checkSum(t, p.Stats())
}

// A submitter that is cut off when its results arrive gets them after it is back, and
// gets ErrResultLost if the worker's process has ended by then.
func TestResultsOfASubmitterThatIsCutOff(t *testing.T) {
	t.Run("worker stays", func(t *testing.T) { resultsOfASubmitterThatIsCutOff(t, false) })
	t.Run("worker ends", func(t *testing.T) { resultsOfASubmitterThatIsCutOff(t, true) })
}

func resultsOfASubmitterThatIsCutOff(t *testing.T, ends bool) {
	t.Parallel()
	s := natsserver.Start(t)
	network := proxy.New(t, s.Addr())
	name, gate := newName(t), make(chan struct{})
	w := newPool(t, connect(t, s.URL()), name, 4, func(ctx context.Context, id int) (int, error) {
		if id < 4 {
			<-gate
		}
		return id, nil
	})
	p := newPool[int, int](t, connect(t, "nats://"+network.Addr()), name, 0, nil)
	var futures []*natspool.Future[int]
	for id := range 4 {
		futures = append(futures, must(p.Submit(soon(t), id)))
	}
	until(t, "the tasks begin", func() bool { return w.Stats().Running == 4 })
	network.Cut()
	close(gate)
	until(t, "the tasks end", func() bool { return w.Stats().Completed == 4 })
	lost := uint64(0)
	if ends {
		lost = 4
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.Shutdown(ended); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		newPool(t, connect(t, s.URL()), name, 1, func(_ context.Context, id int) (int, error) { return id, nil })
	}
	network.Pass()
	for id, f := range futures {
		switch v, err := f.Wait(soon(t)); {
		case ends && !errors.Is(err, natspool.ErrResultLost):
			t.Errorf("got %d, %v, want ErrResultLost", v, err)
		case !ends && (v != id || err != nil):
			t.Errorf("got %d, %v, want %d", v, err, id)
		}
	}
	if v, err := p.Do(soon(t), 9); v != 9 || err != nil {
		t.Errorf("after the cut: %d, %v", v, err)
	}
	if s := p.Stats(); s.Lost != lost || s.Waiting != 0 {
		t.Errorf("lost %d, waiting %d, want %d, 0", s.Lost, s.Waiting, lost)
	}
}

// A result that is sent before the server stops, while it is away, or when the worker
// is back before the submitter, arrives in the end.
func TestResultsSurviveARestart(t *testing.T) {
	t.Parallel()
	s, name := natsserver.Start(t), newName(t)
	network := proxy.New(t, s.Addr()) // makes the submitter reconnect later than the worker
	var done atomic.Int64
	gate := make(chan struct{})
	newPool(t, connect(t, s.URL()), name, 4, func(_ context.Context, id int) (int, error) {
		<-gate
		done.Add(1)
		return id, nil
	}, natspool.WithAckWait(2*time.Second))
	p := newPool[int, int](t, connect(t, "nats://"+network.Addr()), name, 0, nil)
	var futures []*natspool.Future[int]
	for id := range 2000 {
		futures = append(futures, must(p.Submit(soon(t), id)))
	}
	close(gate)
	until(t, "results come", func() bool { return done.Load() >= 200 })
	s.Stop()
	network.Cut()
	at := done.Load()
	s.Start()
	until(t, "the worker goes on", func() bool { return done.Load() >= min(at+100, 2000) })
	network.Pass()
	for id, f := range futures {
		if v, err := f.Wait(soon(t)); v != id || err != nil {
			t.Fatalf("got %d, %v, want %d", v, err, id)
		}
	}
	if s := p.Stats(); s.Lost != 0 {
		t.Errorf("%+v, want no result lost", s)
	}
}
