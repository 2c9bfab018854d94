package natspool_test

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/pool/natspool"
)

// A side is one of two ways to do the same work.
type side struct {
	name string
	open func(b testing.TB, submit, work jetstream.JetStream, workers int, fn func(context.Context, int) (int, error)) opened
}

type opened struct {
	Go    func(context.Context, int) error
	Do    func(context.Context, int) (int, error)
	start func() (stop func())
}

var sides = []side{
	{"byhand", func(b testing.TB, submit, work jetstream.JetStream, workers int, fn func(context.Context, int) (int, error)) opened {
		h := newByHand(b, submit, newName(b))
		return opened{h.Go, h.Do, func() func() { return h.work(b, work, workers, fn) }}
	}},
	{"natspool", func(b testing.TB, submit, work jetstream.JetStream, workers int, fn func(context.Context, int) (int, error)) opened {
		name := newName(b)
		p := newPool[int, int](b, submit, name, 0, nil)
		return opened{p.Go, p.Do, func() func() {
			w := must(natspool.New(soon(b), work, name, workers, fn))
			return func() {
				w.Close()
				if s := w.Stats(); s.Unconfirmed != 0 || s.Redelivered != 0 {
					b.Errorf("%+v", s)
				}
			}
		}}
	}},
}

// messages returns the number of messages sent and received on a connection.
func messages(js jetstream.JetStream) uint64 {
	s := js.Conn().Stats()
	return s.InMsgs + s.OutMsgs
}

// sideBySide runs both sides in turn, b.N times, and reports the medians, also of the
// ratios of two successive runs. run does all the work with tasks tasks, and returns
// the time and the number of messages that the workers have sent and received.
func sideBySide(b *testing.B, tasks int, run func(b *testing.B, s side) (time.Duration, uint64)) {
	took := map[string][]time.Duration{}
	sent := map[string]uint64{}
	for i := 0; b.Loop(); i++ {
		for j := range sides {
			s := sides[(i+j)%2] // so that neither is always the first
			d, n := run(b, s)
			took[s.name] = append(took[s.name], d)
			sent[s.name] += n
		}
	}
	var ratios []float64 // of successive runs, under the same load
	for i, d := range took["natspool"] {
		ratios = append(ratios, took["byhand"][i].Seconds()/d.Seconds())
	}
	for name := range took {
		b.ReportMetric(float64(tasks)/median(took[name]).Seconds(), name+"-tasks/s")
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(ratios), "ratio")
	for name, n := range sent {
		b.ReportMetric(float64(n)/float64(tasks*len(took[name])), name+"-messages/task")
	}
}

func median[V cmp.Ordered](all []V) V {
	slices.Sort(all)
	return all[len(all)/2]
}

// Tasks in the stream are taken, run and acknowledged.
func BenchmarkTake(b *testing.B) {
	const tasks, workers = 5000, 8
	sideBySide(b, tasks, func(b *testing.B, s side) (time.Duration, uint64) {
		srv := natsserver.Start(b)
		defer srv.Stop()
		var ran atomic.Int64
		all := make(chan struct{})
		work := connect(b, srv.URL())
		o := s.open(b, connect(b, srv.URL()), work, workers, func(_ context.Context, n int) (int, error) {
			if ran.Add(1) == tasks {
				close(all)
			}
			return n, nil
		})
		spread(b, 64, tasks, func(n int) error { return o.Go(context.Background(), n) })
		start := time.Now()
		stop := o.start()
		receive(b, all, s.name+": all tasks run")
		stop()
		return time.Since(start), messages(work)
	})
}

// Tasks are submitted and run, and their results are waited for.
func BenchmarkDo(b *testing.B) {
	const tasks, workers, submitters = 5000, 8, 32
	sideBySide(b, tasks, func(b *testing.B, s side) (time.Duration, uint64) {
		srv := natsserver.Start(b)
		defer srv.Stop()
		work := connect(b, srv.URL())
		o := s.open(b, connect(b, srv.URL()), work, workers, func(_ context.Context, n int) (int, error) {
			return 2 * n, nil
		})
		stop := o.start()
		start := time.Now()
		spread(b, submitters, tasks, func(n int) error {
			v, err := o.Do(context.Background(), n)
			if err == nil && v != 2*n {
				b.Errorf("Do(%d) = %d", n, v)
			}
			return err
		})
		d := time.Since(start)
		stop()
		return d, messages(work)
	})
}

// spread calls fn for 0 … n-1 from several goroutines.
func spread(b *testing.B, goroutines, n int, fn func(int) error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if err := fn(int(i)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
