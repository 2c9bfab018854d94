package benchmarks

import (
	"context"
	"fmt"
	"math/rand"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sethvargo/go-limiter/memorystore"
	"golang.org/x/time/rate"

	"github.com/tandemgo/tandem/ratelimit"
)

const keyedKeys = 1_000_000

// keyedLimiters always say yes; each has a limiter for every key that it has seen.
var keyedLimiters = map[string]func(b *testing.B) (allow func(k string) bool, stop func()){
	"tandem": func(*testing.B) (func(string) bool, func()) {
		return ratelimit.NewKeyed[string](ratelimit.Every(time.Minute), 1<<24).Allow, func() {}
	},
	"go-limiter": func(b *testing.B) (func(string) bool, func()) {
		s, err := memorystore.New(&memorystore.Config{Tokens: 1 << 40, Interval: time.Hour, SweepInterval: time.Hour})
		if err != nil {
			b.Fatal(err)
		}
		ctx := context.Background()
		return func(k string) bool {
			_, _, _, ok, err := s.Take(ctx, k)
			return ok && err == nil
		}, func() { _ = s.Close(ctx) }
	},
	// What everybody writes, and what forgets nobody.
	"xtime-map": func(*testing.B) (func(string) bool, func()) {
		var m sync.Map
		return func(k string) bool {
			l, ok := m.Load(k)
			if !ok {
				l, _ = m.LoadOrStore(k, rate.NewLimiter(rate.Every(time.Hour), 1<<40))
			}
			return l.(*rate.Limiter).Allow()
		}, func() {}
	},
}

// BenchmarkKeyed claims permits of a million keys, some of which are much more
// popular than others. bytes/key is what the heap has grown by once all have been
// seen, the strings themselves apart.
func BenchmarkKeyed(b *testing.B) {
	keys := make([]string, keyedKeys)
	for i := range keys {
		keys[i] = fmt.Sprintf("user-%07d", i)
	}
	// As requests come in: each with its key in hand, in memory that has just been
	// written.
	requests := make([]string, 1<<20)
	zipf := rand.NewZipf(rand.New(rand.NewSource(1)), 1.07, 8, keyedKeys-1)
	shuffle := rand.New(rand.NewSource(2)).Perm(keyedKeys)
	for i := range requests {
		requests[i] = strings.Clone(keys[shuffle[zipf.Uint64()]])
	}
	heap := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for _, lib := range []string{"tandem", "go-limiter", "xtime-map"} {
		before := heap()
		allow, stop := keyedLimiters[lib](b)
		for _, k := range keys {
			if !allow(k) {
				b.Fatal("denied")
			}
		}
		each := (heap() - before) / keyedKeys
		b.Run("procs=one/lib="+lib, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if !allow(requests[i&(len(requests)-1)]) {
					b.Fatal("denied")
				}
				i++
			}
			b.ReportMetric(each, "bytes/key")
		})
		b.Run("procs=all/lib="+lib, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				i := rand.Intn(len(requests))
				for pb.Next() {
					if !allow(requests[i&(len(requests)-1)]) {
						b.Error("denied")
					}
					i++
				}
			})
		})
		stop()
	}
}
