package sched

import "sync"

// A Pool has spare objects. Which one is reused makes no difference to a program, so its
// methods are not operations.
type Pool = sync.Pool
