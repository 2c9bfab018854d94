package natspipe_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/integration/internal/proxy"
	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pipeline/natspipe"
)

// A keyed is a trial with 4 partitions on both sides.
type keyed struct {
	*trial
	n int
}

// newKeyed fills the stream of a trial with n numbers.
func newKeyed(t *testing.T, url string, replicas, n int) keyed {
	t.Helper()
	x := keyed{newTrial(t, url, replicas), n}
	x.fill(n, natspipe.WithKey(4, keyOf))
	return x
}

// starts starts a worker.
func (x keyed) starts(url string, fn func(context.Context, int) (int, error)) *worker {
	x.t.Helper()
	return x.work(url, "w", natspipe.Map(fn),
		[]natspipe.Option{natspipe.WithPartitions(x.in, 4), natspipe.WithAckWait(time.Second), natspipe.WithBackoff(10 * time.Millisecond), natspipe.WithMaxDeliver(100)},
		[]natspipe.Option{natspipe.WithKey(4, keyOf)})
}

// has waits until the second stream has n values.
func (x keyed) has(n int) {
	x.t.Helper()
	until(x.t, fmt.Sprintf("%d values are stored", n), func() bool {
		s, err := x.js.Stream(brief(x.t), x.out)
		return err == nil && s.CachedInfo().State.Msgs >= uint64(n)
	})
}

// check waits for the end: nothing is lost, nothing stored twice, and the order kept.
func (x keyed) check(t *testing.T, workers ...*worker) {
	t.Helper()
	x.has(x.n)
	x.nothingIsLeft("w-0", "w-1", "w-2", "w-3")
	for _, w := range workers {
		if err := w.end(t); err != nil {
			t.Error(err)
		}
		checkSum(t, w.source.Stats())
	}
	inOrderPerKey(t, x.js, x.out, x.n, keyOf)
}

// slow takes some time for an item, so that a fault meets some.
func slow(_ context.Context, v int) (int, error) {
	time.Sleep(time.Millisecond)
	return v, nil
}

func TestN1ServerRestarted(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	x := newKeyed(t, s.URL(), 1, 300)
	a, b := x.starts(s.URL(), slow), x.starts(s.URL(), slow)
	for _, at := range []int{50, 150} {
		x.has(at)
		s.Stop()
		s.Start()
	}
	x.check(t, a, b)
}

// N1, N4: a process is cut off in the middle of an item, which another process does
// meanwhile, and those behind it. When it is back, it ends the item again, and what it
// stores is not stored twice.
func TestN1CutOff(t *testing.T) {
	for name, fault := range map[string]func(*proxy.Proxy){"Cut": (*proxy.Proxy).Cut, "HalfOpen": (*proxy.Proxy).Stall} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := natsserver.Start(t)
			network := proxy.New(t, s.Addr())
			x := newKeyed(t, s.URL(), 1, 100)
			begun, gate := make(chan int, x.n), make(chan struct{})
			a := x.starts("nats://"+network.Addr(), func(_ context.Context, v int) (int, error) {
				begun <- v
				<-gate
				return v, nil
			})
			receive(t, begun, "an item begins")
			fault(network)
			b := x.starts(s.URL(), slow)
			if !testing.Short() {
				time.Sleep(5 * time.Second) // the length of the fault
			}
			x.has(x.n)
			network.Pass()
			close(gate)
			until(t, "it ends what it had", func() bool { return a.source.Stats().Held == 0 })
			if st := a.sink.Stats(); st.Stored != 0 || st.Duplicates == 0 {
				t.Errorf("what it has stored: %+v", st)
			}
			x.check(t, a, b)
		})
	}
}

// N7: a process that was cut off gets the messages again that it still works on. It does
// not work on them twice.
func TestN7RedeliveredWhileAtWork(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	network := proxy.New(t, s.Addr())
	x := newKeyed(t, s.URL(), 1, 40)
	calls := testkit.NewLedger(x.n)
	begun, gate := make(chan int, x.n), make(chan struct{})
	a := x.starts("nats://"+network.Addr(), func(_ context.Context, v int) (int, error) {
		calls.Note(v)
		begun <- v
		<-gate
		return v, nil
	})
	receive(t, begun, "an item begins")
	network.Cut()
	time.Sleep(1500 * time.Millisecond) // longer than AckWait
	network.Pass()
	until(t, "it is delivered again", func() bool { return a.source.Stats().Spared > 0 })
	close(gate)
	x.check(t, a)
	calls.ExactlyOnce(t)
}

// N1: a repeat that comes behind the duplicate window is stored twice, and nothing is lost.
func TestN1WindowExceeded(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	x := newTrial(t, s.URL(), 1)
	const window = 200 * time.Millisecond
	x.stream(x.out, window)
	x.fill(10)
	var failed atomic.Bool
	twice := natspipe.FlatMap(func(_ context.Context, v int, emit func(int) error) error {
		return errors.Join(emit(v), emit(v+10))
	})
	one := natspipe.Map(func(_ context.Context, v int) (int, error) {
		if v == 13 && !failed.Swap(true) {
			until(t, "its other value is stored", func() bool { return slices.Contains(stored(t, x.js, x.out), 3) })
			return 0, errors.New("not yet")
		}
		return v, nil
	})
	w := x.work(s.URL(), "w", pipeline.Then(twice, one), []natspipe.Option{natspipe.WithBackoff(5 * window)}, nil)
	until(t, "all is acknowledged", func() bool { return w.source.Stats().Acked == 10 })
	all := stored(t, x.js, x.out)
	slices.Sort(all)
	if want := []int{0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}; !slices.Equal(all, want) {
		t.Errorf("stored %v, want %v", all, want)
	}
}

// N1: a consumer that is deleted is made again.
func TestN1ConsumerDeleted(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	x := newKeyed(t, s.URL(), 1, 300)
	a, b := x.starts(s.URL(), slow), x.starts(s.URL(), slow)
	for _, at := range []int{50, 150} {
		x.has(at)
		for p := range 4 {
			must0(x.js.DeleteConsumer(soon(t), x.in, fmt.Sprint("w-", p)))
		}
	}
	x.check(t, a, b)
}

// N3: the messages of another stream of the same name are not taken for repeats of those
// before, also if another process has made the consumer.
func TestN3StreamMadeAgain(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	x := newTrial(t, s.URL(), 1)
	x.fill(10)
	w := x.work(s.URL(), "w", natspipe.Map(same), nil, nil)
	until(t, "all is acknowledged", func() bool { return w.source.Stats().Acked == 10 })
	must0(x.js.DeleteStream(soon(t), x.in))
	x.stream(x.in, 0)
	must0(must(natspipe.NewSource[int](soon(t), x.js, x.in, "w")).Close())
	for v := range 10 {
		must(x.js.Publish(soon(t), x.in, fmt.Append(nil, 10+v)))
	}
	until(t, "all is acknowledged", func() bool { return w.source.Stats().Acked == 20 })
	once(t, x.js, x.out, 20)
}

// A Source makes a deleted consumer again behind the messages that it knows to be
// acknowledged.
func TestConsumerIsMadeAgainBehindTheAcknowledged(t *testing.T) {
	if testing.Short() {
		t.Skip("it looks at the consumers every 5 s")
	}
	t.Parallel()
	s := natsserver.Start(t)
	x := newTrial(t, s.URL(), 1)
	x.fill(100)
	w := x.work(s.URL(), "w", natspipe.Map(same), nil, nil)
	until(t, "all is acknowledged", func() bool { return w.source.Stats().Acked == 100 })
	time.Sleep(6 * time.Second) // the interval is under test
	must0(x.js.DeleteConsumer(soon(t), x.in, "w"))
	until(t, "it is there again", func() bool {
		c, err := x.js.Consumer(soon(t), x.in, "w")
		return err == nil && c.CachedInfo().Config.OptStartSeq == 101
	})
	must(x.js.Publish(soon(t), x.in, []byte("100")))
	until(t, "the next one is acknowledged", func() bool { return w.source.Stats().Acked == 101 })
	once(t, x.js, x.out, 101)
}

// N1, N4: in a cluster of three, the leaders of the streams and of the consumers change,
// and the server that leads the first stream is restarted.
func TestN1LeaderChange(t *testing.T) {
	if testing.Short() {
		t.Skip("a cluster takes some seconds")
	}
	t.Parallel()
	servers := natsserver.StartCluster(t, 3)
	url := servers[0].URL() + "," + servers[1].URL() + "," + servers[2].URL()
	x := newKeyed(t, url, 3, 300)
	a, b := x.starts(url, slow), x.starts(url, slow)
	stepDown := func(api string) {
		_, err := x.js.Conn().RequestWithContext(soon(t), "$JS.API."+api, nil)
		must0(err)
	}
	x.has(30)
	stepDown("STREAM.LEADER.STEPDOWN." + x.in)
	x.has(60)
	stepDown("STREAM.LEADER.STEPDOWN." + x.out)
	for p := range 4 {
		x.has(90 + 20*p)
		stepDown(fmt.Sprintf("CONSUMER.LEADER.STEPDOWN.%s.w-%d", x.in, p))
	}
	x.has(200)
	leader := ""
	until(t, "the stream has a leader", func() bool {
		s, err := x.js.Stream(brief(t), x.in)
		if err == nil && s.CachedInfo().Cluster != nil {
			leader = s.CachedInfo().Cluster.Leader
		}
		return leader != ""
	})
	for _, s := range servers {
		if s.Name() == leader {
			s.Stop()
			x.has(250)
			s.Start()
		}
	}
	x.check(t, a, b)
}
