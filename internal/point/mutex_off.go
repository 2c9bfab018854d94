//go:build !points

package point

import "sync"

// A Mutex is a lock that may be held at a point. Without points it is a
// sync.Mutex.
type Mutex = sync.Mutex
