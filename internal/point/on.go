//go:build points

package point

import "github.com/tandemgo/tandem/internal/sched"

// On says whether points can be taken hold of.
const On = true

// At marks a place.
func At(name string) { sched.At(name) }

// Taken reports whether somebody has taken hold of the points.
func Taken() bool { return sched.Attached() }
