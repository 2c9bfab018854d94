package benchmarks

import (
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/tandemgo/tandem/ratelimit"
)

// BenchmarkAllow asks a limiter that always says yes, alone and from all
// processors at once, and one that always says no.
func BenchmarkAllow(b *testing.B) {
	const many = 1 << 50
	limiters := map[string]func(granting bool) (allow func() bool, stop func()){
		"tandem": func(granting bool) (func() bool, func()) {
			if granting {
				return ratelimit.New(ratelimit.Per(1e9, time.Second), many).Allow, func() {}
			}
			return ratelimit.New(ratelimit.Every(time.Hour), 1, ratelimit.WithSpent(1)).Allow, func() {}
		},
		"xtime": func(granting bool) (func() bool, func()) {
			if granting {
				return rate.NewLimiter(1e9, many).Allow, func() {}
			}
			l := rate.NewLimiter(rate.Every(time.Hour), 1)
			l.Allow()
			return l.Allow, func() {}
		},
		"channels": func(granting bool) (func() bool, func()) { // a mutex, in truth: no channel counts that far
			var mu sync.Mutex
			tokens, last := 0.0, time.Now()
			if granting {
				tokens = many
			}
			return func() bool {
				mu.Lock()
				defer mu.Unlock()
				now := time.Now()
				tokens += now.Sub(last).Hours()
				last = now
				if tokens < 1 {
					return false
				}
				tokens--
				return true
			}, func() {}
		},
		// It can only be measured saying no: it has as many tokens as its rate.
		"classic": func(granting bool) (func() bool, func()) {
			if granting {
				return nil, nil
			}
			l := newClassicLimiter(1)
			l.allow()
			return l.allow, func() { close(l.done) }
		},
	}
	for _, lib := range []string{"tandem", "xtime", "channels", "classic"} {
		for _, granting := range []bool{true, false} {
			allow, stop := limiters[lib](granting)
			if allow == nil {
				continue
			}
			answer := map[bool]string{true: "yes", false: "no"}[granting]
			b.Run("answer="+answer+"/procs=one/lib="+lib, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if allow() != granting && lib != "classic" {
						b.Fatal("the wrong answer")
					}
				}
			})
			b.Run("answer="+answer+"/procs=all/lib="+lib, func(b *testing.B) {
				b.ReportAllocs()
				b.SetParallelism(8)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if allow() != granting && lib != "classic" {
							b.Error("the wrong answer")
						}
					}
				})
			})
			stop()
		}
	}
}
