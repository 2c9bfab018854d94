//go:build points

package explore

import (
	"unsafe"

	"github.com/tandemgo/tandem/internal/goid"
)

// current returns the number of the goroutine. It is asked for at every point, and
// its stack trace takes ten times as long as all else there, so it is read from
// where the run time keeps it, if that has been found.
func current() uint64 {
	if place > 0 {
		return *(*uint64)(unsafe.Add(getg(), place))
	}
	return goid.Current()
}

// place is where in what the run time knows of a goroutine its number is: the
// one place at which it is for each of some; 0 if there is no such place.
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
