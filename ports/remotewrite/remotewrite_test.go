package remotewrite_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/tandemgo/tandem/ports/internal/proof"
	"github.com/tandemgo/tandem/ports/remotewrite"
	"github.com/tandemgo/tandem/ports/remotewrite/after"
	"github.com/tandemgo/tandem/ports/remotewrite/before"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLines(t *testing.T) { proof.Lines(t, 0.60) }

func TestPage(t *testing.T) { proof.Page(t, "prometheus: the queues of remote write") }

// A manager is a queue manager of either shape.
type manager interface {
	Append([]remotewrite.Sample) bool
	Stats() remotewrite.Stats
	Stop()
}

type newManager func(remotewrite.Config, remotewrite.Send) manager

func old(c remotewrite.Config, s remotewrite.Send) manager { return before.New(c, s) }
func now(c remotewrite.Config, s remotewrite.Send) manager { return after.New(c, s) }

// both runs a test on both shapes, each in a bubble. It tells which one has the bug.
func both(t *testing.T, test func(t *testing.T, make newManager, hasBug bool)) {
	t.Run("before", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, old, true) })
	})
	t.Run("after", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, now, false) })
	})
}

// config is a small one. Its ages never coincide with the times of the tests.
func config() remotewrite.Config {
	return remotewrite.Config{
		Capacity: 100, BatchSize: 100, BatchAge: 5*time.Second + 3, MinShards: 1, MaxShards: 50,
		MinBackoff: 30 * time.Millisecond, MaxBackoff: 5 * time.Second, FlushDeadline: time.Minute,
	}
}

// A server keeps what it receives, and checks that each series is in order.
type server struct {
	t    *testing.T
	mu   sync.Mutex
	last map[uint64]int64
	n    int
	seen map[uint64]time.Time // when a sample of a series came last
	gap  map[uint64]time.Duration
}

func newServer(t *testing.T) *server {
	return &server{t: t, last: map[uint64]int64{}, seen: map[uint64]time.Time{}, gap: map[uint64]time.Duration{}}
}

func (s *server) receive(batch []remotewrite.Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range batch {
		if last, ok := s.last[x.Series]; ok && x.Time <= last {
			s.t.Errorf("series %d: sample %d comes after %d", x.Series, x.Time, last)
		}
		s.last[x.Series] = x.Time
		if seen, ok := s.seen[x.Series]; ok {
			s.gap[x.Series] = max(s.gap[x.Series], time.Since(seen))
		}
		s.seen[x.Series] = time.Now()
	}
	s.n += len(batch)
}

func (s *server) received() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// samples returns one sample for each series.
func samples(series int, at int64) []remotewrite.Sample {
	all := make([]remotewrite.Sample, series)
	for i := range all {
		all[i] = remotewrite.Sample{Series: uint64(i), Time: at, Value: float64(at)}
	}
	return all
}

// burst appends n samples to one shard, which has room for four, at the moment at which its
// batch is old enough, and stops the manager. All samples must arrive.
func burst(t *testing.T, make newManager, n int) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		c := config()
		c.BatchAge = 5 * time.Second
		c.BatchSize, c.Capacity = 2, 2
		m := make(c, func(_ context.Context, batch []remotewrite.Sample) error {
			s.receive(batch)
			return nil
		})
		time.Sleep(c.BatchAge)
		for i := range n {
			m.Append(samples(1, int64(i)))
		}
		m.Stop()
		if s.received() != n {
			t.Errorf("%d of %d samples arrived", s.received(), n)
		}
	})
}

// 10279: a shard is stopped at the moment at which its last batch is old enough.
func TestStopWhenABatchIsOld(t *testing.T) {
	t.Parallel()
	t.Run("before", func(t *testing.T) {
		proof.Hangs(t, func(t *testing.T) { burst(t, old, 3) }, "before.(*queue).take", "before.(*queue).flush")
	})
	t.Run("after", func(t *testing.T) {
		for range 200 {
			burst(t, now, 3)
		}
	})
}

// 10395: a sample is appended to a full queue at the moment at which its batch is old enough.
func TestAppendWhenABatchIsOld(t *testing.T) {
	t.Parallel()
	t.Run("before", func(t *testing.T) {
		proof.Hangs(t, func(t *testing.T) { burst(t, old, 5) }, "before.(*queue).take", "before.(*queue).add")
	})
	t.Run("after", func(t *testing.T) {
		for range 200 {
			burst(t, now, 5)
		}
	})
}

// 17384: twenty shards are needed, and the number does not grow, since what waits in front of
// full queues is not counted.
func TestScalesUpWhileQueuesAreFull(t *testing.T) {
	both(t, func(t *testing.T, make newManager, hasBug bool) {
		m := make(config(), func(context.Context, []remotewrite.Sample) error {
			time.Sleep(time.Second)
			return nil
		})
		start := time.Now()
		for i := int64(0); time.Since(start) < 10*time.Minute; i++ { // a reader that is far behind
			m.Append(samples(200, i))
		}
		st := m.Stats()
		t.Logf("%+v", st)
		if few := st.Shards <= 5; few != hasBug {
			t.Errorf("there are %d shards", st.Shards)
		}
		m.Stop()
	})
}

// 12559: the server is away for half an hour, and answers so. The number of shards changes
// just before, the queues can't be flushed, and samples are dropped.
func TestNothingIsLostWhileTheServerIsAway(t *testing.T) {
	both(t, func(t *testing.T, make newManager, hasBug bool) {
		s := newServer(t)
		start := time.Now()
		m := make(config(), func(_ context.Context, batch []remotewrite.Sample) error {
			if d := time.Since(start); d > 8*time.Second && d < 30*time.Minute {
				return remotewrite.ErrRecoverable
			}
			time.Sleep(time.Second)
			s.receive(batch)
			return nil
		})
		taken := 0
		for i := int64(0); time.Since(start) < 40*time.Minute; i++ {
			if m.Append(samples(200, i)) {
				taken += 200
			}
			time.Sleep(time.Second)
		}
		m.Stop()
		st := m.Stats()
		t.Logf("%d taken, %d received, %+v", taken, s.received(), st)
		if lost := s.received() != taken; lost != hasBug || int(st.Sent) != s.received() || int(st.Dropped) != taken-s.received() {
			t.Errorf("%d of %d samples were received, %+v", s.received(), taken, st)
		}
	})
}

// 6095: a request does not return while the number of shards changes. The old shards can't be
// shut down, and nothing is sent any more.
func TestARequestThatHangsDoesNotStopTheOthers(t *testing.T) {
	both(t, func(t *testing.T, make newManager, hasBug bool) {
		s := newServer(t)
		c := config()
		c.MinShards, c.Capacity = 3, 20_000
		start := time.Now()
		var hangs atomic.Bool
		m := make(c, func(_ context.Context, batch []remotewrite.Sample) error {
			time.Sleep(time.Second)
			if time.Since(start) > 5*time.Second && hangs.CompareAndSwap(false, true) {
				time.Sleep(time.Hour)
			}
			s.receive(batch)
			return nil
		})
		for i := int64(0); time.Since(start) < 3*time.Minute; i++ {
			m.Append(samples(500, i))
			time.Sleep(time.Second)
		}
		got := s.received()
		t.Logf("%d samples were received in three minutes", got)
		if few := got < 20_000; few != hasBug {
			t.Errorf("%d samples were received in three minutes", got)
		}
		m.Stop()
	})
}

// 7230: one shard is slow while the number of shards changes, and the others wait for it.
func TestASlowShardDoesNotHoldUpTheOthers(t *testing.T) {
	both(t, func(t *testing.T, make newManager, hasBug bool) {
		s := newServer(t)
		c := config()
		c.MinShards, c.Capacity = 4, 20_000
		m := make(c, func(_ context.Context, batch []remotewrite.Sample) error {
			time.Sleep(100 * time.Millisecond)
			if batch[0].Series == 0 {
				time.Sleep(40 * time.Second)
			}
			s.receive(batch)
			return nil
		})
		for i := range int64(300) {
			m.Append(samples(200, i))
			time.Sleep(time.Second)
		}
		m.Stop()
		gaps := slices.Sorted(maps.Values(s.gap))
		typical := gaps[len(gaps)/2]
		t.Logf("the longest time without samples, of a typical series: %v", typical)
		if long := typical > 40*time.Second; long != hasBug || !long && typical > 10*time.Second {
			t.Errorf("a typical series had no samples for %v", typical)
		}
	})
}

// Two minutes of a server's life, in simulated time: 2,000 samples a second, answers that take
// from 20 to 60 ms, one request of fifty that is to be tried again, and twenty seconds
// without a server. All samples arrive, each series in order, also while the number of
// shards changes.
func TestTwoMinutes(t *testing.T) {
	both(t, func(t *testing.T, make newManager, _ bool) {
		workload(t, make, 2*time.Minute, time.Second, func(_ *testing.T, to remotewrite.Send) remotewrite.Send { return to })
	})
}

// The same in real time, two hundred times as fast, over HTTP.
func TestRealTime(t *testing.T) {
	t.Run("before", func(t *testing.T) { workload(t, old, time.Second/2, 5*time.Millisecond, overHTTP) })
	t.Run("after", func(t *testing.T) { workload(t, now, time.Second/2, 5*time.Millisecond, overHTTP) })
}

// overHTTP returns a way to a server that hands requests to the function to.
func overHTTP(t *testing.T, to remotewrite.Send) remotewrite.Send {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var batch []remotewrite.Sample
		if err := gob.NewDecoder(r.Body).Decode(&batch); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		} else if to(r.Context(), batch) != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	return func(ctx context.Context, batch []remotewrite.Sample) error {
		var body bytes.Buffer
		if err := gob.NewEncoder(&body).Encode(batch); err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, &body)
		if err != nil {
			return err
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		switch resp.StatusCode {
		case http.StatusOK:
			return nil
		case http.StatusServiceUnavailable:
			return remotewrite.ErrRecoverable
		}
		return errors.New(resp.Status)
	}
}

func workload(t *testing.T, make newManager, d, second time.Duration, way func(*testing.T, remotewrite.Send) remotewrite.Send) {
	s := newServer(t)
	start := time.Now()
	c := config()
	c.Capacity = 10_000
	var requests atomic.Int64
	m := make(c, way(t, func(_ context.Context, batch []remotewrite.Sample) error {
		requests.Add(1)
		time.Sleep(second/50 + rand.N(second/25))
		if since := time.Since(start); rand.N(50) == 0 || since > d/2 && since < d/2+20*second {
			return remotewrite.ErrRecoverable
		}
		s.receive(batch)
		return nil
	}))
	taken := 0
	for i := int64(0); time.Since(start) < d; i++ {
		if !m.Append(samples(200, i)) {
			t.Fatal("it is stopped")
		}
		taken += 200
		time.Sleep(second / 10)
	}
	shards := m.Stats().Shards
	m.Stop()
	if st := m.Stats(); s.received() != taken || st.Sent != int64(taken) || st.Dropped != 0 {
		t.Errorf("%d of %d samples were received, %+v", s.received(), taken, st)
	}
	t.Logf("%d samples, %d requests, %d shards at the end", taken, requests.Load(), shards)
}

// An error that is not recoverable drops the batch, and no other one.
func TestABatchIsDropped(t *testing.T) {
	both(t, func(t *testing.T, make newManager, _ bool) {
		s := newServer(t)
		m := make(config(), func(_ context.Context, batch []remotewrite.Sample) error {
			if batch[0].Time == 1 {
				return errors.New("400 Bad Request")
			}
			s.receive(batch)
			return nil
		})
		for i := range int64(3) {
			m.Append(samples(1, i))
			time.Sleep(10 * time.Second)
		}
		m.Stop()
		if st := m.Stats(); st.Sent != 2 || st.Dropped != 1 || s.received() != 2 {
			t.Errorf("%+v", st)
		}
	})
}

// Stop gives up what is not sent by the deadline, and counts it.
func TestStopAtTheDeadline(t *testing.T) {
	both(t, func(t *testing.T, make newManager, _ bool) {
		m := make(config(), func(ctx context.Context, _ []remotewrite.Sample) error {
			<-ctx.Done()
			return ctx.Err()
		})
		m.Append(samples(150, 1))
		start := time.Now()
		m.Stop()
		if took := time.Since(start); took != time.Minute || m.Append(samples(1, 2)) {
			t.Errorf("Stop took %v, and Append still works", took)
		}
		if st := m.Stats(); st.Sent != 0 || st.Dropped != 150 {
			t.Errorf("%+v", st)
		}
	})
}

// BenchmarkAppend appends scrapes of 200 samples, with requests of 500.
func BenchmarkAppend(b *testing.B) {
	scrape := samples(200, 1)
	run := func(make newManager) func(*testing.B, int) {
		return func(_ *testing.B, n int) {
			c := config()
			c.BatchSize, c.Capacity, c.MinShards, c.MaxShards = 500, 5000, 4, 4
			m := make(c, func(context.Context, []remotewrite.Sample) error { return nil })
			for range n / len(scrape) {
				m.Append(scrape)
			}
			m.Stop()
		}
	}
	proof.Paired(b, 1_000_000, run(old), run(now))
}
