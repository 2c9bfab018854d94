//go:build unix

package natspipe_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/pipeline/natspipe"
)

const items = 10000

// sideBySide runs both sides in turn, b.N times, and reports the median and the best run of
// each, the median of the ratios of two successive runs, the ratio of the best ones, and the
// processor time of the run that has used least, server included.
func sideBySide(b *testing.B, partitions int) {
	took, used := map[string][]time.Duration{}, map[string][]time.Duration{}
	sides := []string{"byhand", "natspipe"}
	for i := 0; b.Loop(); i++ {
		for j := range sides {
			side := sides[(i+j)%2] // so that neither is always the first
			wall, cpu := move(b, side, partitions)
			took[side], used[side] = append(took[side], wall), append(used[side], cpu)
		}
	}
	var ratios []float64
	for i, d := range took["natspipe"] {
		ratios = append(ratios, took["byhand"][i].Seconds()/d.Seconds())
	}
	for side := range took {
		b.ReportMetric(items/median(took[side]).Seconds(), side+"-items/s")
		b.ReportMetric(items/slices.Min(took[side]).Seconds(), side+"-best-items/s")
		b.ReportMetric(float64(slices.Min(used[side]).Microseconds())/items, side+"-cpu-µs/item")
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(slices.Min(took["byhand"]).Seconds()/slices.Min(took["natspipe"]).Seconds(), "ratio-of-best")
}

func median[V cmp.Ordered](all []V) V {
	slices.Sort(all)
	return all[len(all)/2]
}

// move moves all items from one stream to another on a server of its own, and returns the
// time and the processor time of that.
func move(b *testing.B, side string, partitions int) (wall, cpu time.Duration) {
	srv := natsserver.Start(b)
	defer srv.Stop()
	x := newTrial(b, srv.URL(), 1)
	var source, sink []natspipe.Option
	subjects := []string{x.in}
	if partitions > 0 {
		subjects = nil
		for p := range partitions {
			subjects = append(subjects, fmt.Sprint(x.in, ".", p))
		}
		source = []natspipe.Option{natspipe.WithPartitions(x.in, partitions)}
		sink = []natspipe.Option{natspipe.WithKey(partitions, func(v int) string { return fmt.Sprint(v) })}
	}
	x.fill(items, sink...)
	start, before := time.Now(), cpuTime()
	if side == "natspipe" {
		w := x.work(srv.URL(), "w", natspipe.Map(double), source, sink)
		until(b, "all is stored", func() bool { return w.sink.Stats().Stored == items })
		must0(w.end(b))
	} else {
		h := &byHand{js: connect(b, srv.URL()), in: x.in, out: x.out, workers: 64, ahead: 256}
		if partitions > 0 {
			h.workers = 1
		}
		stop := h.work(context.Background(), subjects, double)
		until(b, "all is stored", func() bool { return h.stored.Load() == items })
		stop()
	}
	wall, cpu = time.Since(start), cpuTime()-before
	if n := messages(b, x.js, x.out); n != items {
		b.Errorf("%d items are stored, want %d", n, items)
	}
	return wall, cpu
}

// cpuTime returns the processor time used by this process.
func cpuTime() time.Duration {
	var u syscall.Rusage
	must0(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func double(_ context.Context, v int) (int, error) { return 2 * v, nil }

// Items are read, worked on, stored and acknowledged; in any order, and in the order of
// 16 partitions.
func BenchmarkMove(b *testing.B)             { sideBySide(b, 0) }
func BenchmarkMoveInPartitions(b *testing.B) { sideBySide(b, 16) }
