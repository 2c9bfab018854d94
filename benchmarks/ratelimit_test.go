package benchmarks

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/tandemgo/tandem/benchmarks/work"
)

// spreads are the ways in which n calls are made: by one goroutine, or by eight a
// processor.
var spreads = []struct {
	procs string
	over  func(n int, do func(calls int))
}{
	{"one", func(n int, do func(int)) { do(n) }},
	{"all", overAll},
}

// overAll splits n calls evenly among eight goroutines a processor.
func overAll(n int, do func(calls int)) {
	var wg sync.WaitGroup
	callers := 8 * runtime.GOMAXPROCS(0)
	for i := range callers {
		wg.Go(func() { do((n + i) / callers) }) // the calls add up to n
	}
	wg.Wait()
}

// ask calls allow the given number of times, and fails b on a wrong answer.
func ask(b *testing.B, calls int, allow func() bool, want bool) {
	for range calls {
		if allow() != want {
			b.Error("the wrong answer")
			return
		}
	}
}

// BenchmarkAllow calls a limiter that always grants, and one that always denies, alone
// and from eight goroutines a processor.
func BenchmarkAllow(b *testing.B) {
	for _, granting := range []bool{true, false} {
		answer := map[bool]string{true: "yes", false: "no"}[granting]
		libs := work.Peers(func(p work.Peer) bool { return p.Allow != nil && p.Allow(b, granting) != nil })
		for _, spread := range spreads {
			for _, p := range libs {
				b.Run("answer="+answer+"/procs="+spread.procs+"/lib="+p.Name, func(b *testing.B) {
					allow := p.Allow(b, granting)
					measure(b, func(ops int) {
						spread.over(ops, func(calls int) { ask(b, calls, allow, granting) })
					})
				})
			}
		}
	}
}

// BenchmarkReserve takes permits that are available at once.
func BenchmarkReserve(b *testing.B) {
	for _, p := range work.Peers(func(p work.Peer) bool { return p.Reserve != nil }) {
		b.Run("lib="+p.Name, func(b *testing.B) {
			reserve := p.Reserve(b, true)
			measure(b, func(ops int) { ask(b, ops, reserve, true) })
		})
	}
}

// BenchmarkWaitNotNeeded waits for permits that are available: a billion a second
// return, more than are taken.
func BenchmarkWaitNotNeeded(b *testing.B) {
	ctx := b.Context()
	const perSecond, burst = 1e9, 1 << 20
	for _, p := range work.Peers(func(p work.Peer) bool { return p.Wait != nil }) {
		b.Run("lib="+p.Name, func(b *testing.B) {
			wait := p.Wait(perSecond, burst)
			time.Sleep(2 * burst * time.Second / perSecond) // until the whole burst has returned
			measure(b, func(ops int) {
				for range ops {
					if err := wait(ctx); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
