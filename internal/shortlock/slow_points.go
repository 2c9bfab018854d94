//go:build points

package shortlock

import "github.com/tandemgo/tandem/internal/sched"

// A Mutex is a sched.Mutex.
type Mutex = sched.Mutex
