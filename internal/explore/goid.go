//go:build points

package explore

import (
	"unsafe"

	"github.com/tandemgo/tandem/internal/goid"
)

// current returns the id of the calling goroutine. Every operation calls it, and a
// stack trace would take ten times as long as the rest of the operation, so current
// reads the id from the runtime's descriptor if its offset was found.
func current() uint64 {
	if place > 0 {
		return *(*uint64)(unsafe.Add(getg(), place))
	}
	return goid.Current()
}

// place is the offset of the id in the runtime's descriptor of a goroutine: the only
// offset that matches for several goroutines, or 0 if there is none.
var place = findPlace()

func findPlace() uintptr {
	const most, word, goroutines = 256, 8, 16
	if getg() == nil {
		return 0
	}
	hits := make(map[uintptr]int)
	for range goroutines {
		done := make(chan struct{})
		go func() {
			defer close(done)
			for at := uintptr(word); at < most; at += word {
				if *(*uint64)(unsafe.Add(getg(), at)) == goid.Current() {
					hits[at]++
				}
			}
		}()
		<-done
	}
	for at, n := range hits {
		if n == goroutines && len(hits) == 1 {
			return at
		}
	}
	return 0
}
