//go:build points

package point

import "sync/atomic"

// On says whether points can be taken hold of.
const On = true

var hook atomic.Pointer[func(name string)]

// At marks a place.
func At(name string) {
	if h := hook.Load(); h != nil {
		(*h)(name)
	} else if chaos != nil {
		chaos.stir()
	}
}

// Take has h called at every point of the program, by the goroutine that is
// there, until release is called.
func Take(h func(name string)) (release func()) {
	if !hook.CompareAndSwap(nil, &h) {
		panic("point: Take: somebody has taken hold of the points already")
	}
	return func() { hook.Store(nil) }
}

// Taken reports whether somebody has taken hold of the points.
func Taken() bool { return hook.Load() != nil }
