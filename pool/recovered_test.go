package pool_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tandemgo/tandem/pool"
)

// C4: code around a call of its own makes the error that a task would have.
func TestC4Recovered(t *testing.T) {
	call := func(fn func()) (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = pool.Recovered(r)
			}
		}()
		fn()
		return nil
	}
	err := call(func() { panic("boom") })
	p, ok := errors.AsType[*pool.PanicError](err)
	if !ok || p.Value != "boom" || !strings.Contains(string(p.Stack), "TestC4Recovered") {
		t.Errorf("got %#v", err)
	}
	if !strings.Contains(err.Error(), "boom, in ") || !strings.Contains(err.Error(), "recovered_test.go:") {
		t.Errorf("the text has no place: %v", err)
	}
	if err := call(func() {}); err != nil {
		t.Error(err)
	}
}

// Code that calls a function of somebody else returns its panic as an error.
func ExampleRecovered() {
	load := func(parse func(string) int, text string) (n int, err error) {
		defer func() {
			if r := recover(); r != nil {
				err = pool.Recovered(r)
			}
		}()
		return parse(text), nil
	}
	_, err := load(func(string) int { panic("no number") }, "x")
	panicked, _ := errors.AsType[*pool.PanicError](err)
	fmt.Println(panicked.Value)
	// Output: no number
}
