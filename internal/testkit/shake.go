package testkit

import (
	"errors"
	"runtime"
	"testing"
)

// ErrEnd is the panic value of the entry "error" of Ends.
var ErrEnd = errors.New("end")

// Ends returns functions that panic in the different ways of user code.
func Ends() map[string]func() {
	return map[string]func(){
		"error":  func() { panic(ErrEnd) },
		"string": func() { panic("end") },
		"nil":    func() { panic(nil) },
		"run-time error": func() {
			var m map[int]int
			m[0]++ //lint:ignore SA5000 it is to panic
		},
	}
}

// Panicked calls fn and returns its panic value, or nil if it did not panic.
func Panicked(fn func()) (v any) {
	defer func() { v = recover() }()
	fn()
	return nil
}

// Procs returns a function that changes GOMAXPROCS at each call. The cleanup of the
// test restores it.
func Procs(t testing.TB) (change func()) {
	before := runtime.GOMAXPROCS(0)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	next := 0
	return func() {
		sizes := [...]int{1, 8, 2, 16, 3}
		runtime.GOMAXPROCS(sizes[next%len(sizes)])
		next++
	}
}

// HeapReturns fails the test unless the heap after ten million items is within 5 % of
// the heap after a hundred thousand. It skips the test with the race detector and in
// short mode.
func HeapReturns(t *testing.T, run func(items int)) {
	t.Helper()
	if Race || testing.Short() {
		t.Skip("ten million items, and the heap must be unused otherwise")
	}
	ballast := make([]byte, 8<<20) // the size of a real heap, so that memory kept by an idle worker does not matter
	run(100_000)
	before := Heap()
	run(10_000_000)
	after := Heap()
	runtime.KeepAlive(ballast)
	if diff := float64(after) - float64(before); diff > 0.05*float64(before) {
		t.Errorf("the heap was %d bytes and is %d: %+.1f %%", before, after, 100*diff/float64(before))
	}
}

// Heap returns the size of the live heap. It collects several times: values in a
// sync.Pool or with a cleanup need another collection.
func Heap() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
