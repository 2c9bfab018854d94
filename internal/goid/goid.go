// Package goid tells the number of a goroutine.
package goid

import (
	"bytes"
	"runtime"
	"strconv"
)

// Current returns the number of the current goroutine, as stack traces print it:
// they begin with "goroutine 7 [". It takes a microsecond or two.
//
// The format has not changed since Go 1.0; if it does, Current returns 0, which is
// no number of a goroutine.
func Current() uint64 {
	var buf [64]byte
	b := bytes.TrimPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	number, _, _ := bytes.Cut(b, []byte(" "))
	id, _ := strconv.ParseUint(string(number), 10, 64)
	return id
}
