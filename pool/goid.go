package pool

import (
	"bytes"
	"runtime"
	"strconv"
)

// goid returns the number of the current goroutine, as stack traces print it.
//
// Close takes no context, and a task may wait under a context that is not
// derived from its own. Both would block for ever inside a task if the pool
// could not tell where the call comes from, and the goroutine's number is all
// there is to tell it by. It is read where a worker starts and where a call is
// about to block or to close, never on the way of a task.
func goid() uint64 {
	var buf [64]byte
	b := bytes.TrimPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	if i := bytes.IndexByte(b, ' '); i > 0 {
		b = b[:i]
	}
	id, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil {
		// The format has not changed since Go 1.0; if it does, nothing is known
		// to be inside a task, and the tests of nesting fail.
		return 0
	}
	return id
}
