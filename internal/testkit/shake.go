package testkit

import (
	"errors"
	"runtime"
	"testing"
)

// ErrEnd is what the error of Ends panics with.
var ErrEnd = errors.New("end")

// Ends are the ways in which user code panics.
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

// Panicked calls fn and returns what it panicked with, nil if it did not.
func Panicked(fn func()) (v any) {
	defer func() { v = recover() }()
	fn()
	return nil
}

// Procs returns a function that changes GOMAXPROCS at each call. The test puts
// it back at its end.
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

// HeapReturns fails the test unless the heap, after run has worked on ten million
// items, is what it was after a hundred thousand, within 5 %. It is skipped where
// that says nothing or takes too long.
func HeapReturns(t *testing.T, run func(items int)) {
	t.Helper()
	if Race || testing.Short() {
		t.Skip("ten million items, and a heap of nobody else's")
	}
	ballast := make([]byte, 8<<20) // a heap as programs have, or what a worker keeps for the next task would count
	run(100_000)
	before := Heap()
	run(10_000_000)
	after := Heap()
	runtime.KeepAlive(ballast)
	if diff := float64(after) - float64(before); diff > 0.05*float64(before) {
		t.Errorf("the heap was %d bytes and is %d: %+.1f %%", before, after, 100*diff/float64(before))
	}
}

// Heap returns the size of the live heap. It collects more than once: what a
// sync.Pool keeps or what has a cleanup takes another round.
func Heap() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
