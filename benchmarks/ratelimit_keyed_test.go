package benchmarks

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/work"
	"github.com/tandemgo/tandem/internal/testkit"
)

const keyedKeys = 1_000_000

// A keyed is a limiter that has seen all keys. each is the growth of the heap for a
// key.
type keyed struct {
	name  string
	allow func(key string) bool
	each  float64
}

func newKeyed(b *testing.B, p work.Peer, keys []string) keyed {
	before := float64(testkit.Heap())
	allow := p.Keyed(b)
	for _, k := range keys {
		if !allow(k) {
			b.Fatal(p.Name, "denied")
		}
	}
	return keyed{p.Name, allow, (float64(testkit.Heap()) - before) / keyedKeys}
}

// BenchmarkKeyed takes permits of a million keys, some of which are much more frequent
// than others, alone and from eight goroutines a processor. bytes/key is the growth of
// the heap after all keys were seen, without the strings themselves.
func BenchmarkKeyed(b *testing.B) {
	keys := make([]string, keyedKeys)
	for i := range keys {
		keys[i] = fmt.Sprintf("user-%07d", i)
	}
	requests := keyedRequests(keys)
	var libs []keyed
	for _, p := range work.Peers(func(p work.Peer) bool { return p.Keyed != nil }) {
		libs = append(libs, newKeyed(b, p, keys))
	}
	for _, spread := range spreads {
		for _, lib := range libs {
			b.Run("procs="+spread.procs+"/lib="+lib.name, func(b *testing.B) {
				measure(b, func(ops int) {
					spread.over(ops, func(calls int) {
						first := rand.Intn(len(requests))
						for i := range calls {
							if !lib.allow(requests[(first+i)&(len(requests)-1)]) {
								b.Error("denied")
								return
							}
						}
					})
				})
				b.ReportMetric(lib.each, "bytes/key")
			})
		}
	}
}

// keyedRequests returns the keys as in real requests, each in memory that has just been
// written.
func keyedRequests(keys []string) []string {
	requests := make([]string, 1<<20)
	zipf := rand.NewZipf(rand.New(rand.NewSource(1)), 1.07, 8, uint64(len(keys)-1))
	shuffle := rand.New(rand.NewSource(2)).Perm(len(keys))
	for i := range requests {
		requests[i] = strings.Clone(keys[shuffle[zipf.Uint64()]])
	}
	return requests
}
