package outcome_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// settled runs fn on its own goroutine, since fn may end it.
func settled(fn func() (int, error)) (v int, calls int, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		outcome.Run(fn, func(gotV int, gotErr error) {
			v, err = gotV, gotErr
			calls++
		})
	}()
	<-done
	return v, calls, err
}

// C4: every way in which user code can end becomes a value or an error, once.
func TestRunClassifiesEveryEnding(t *testing.T) {
	var nilMap map[string]int
	tests := []struct {
		name string
		fn   func() (int, error)
		v    int
		is   error  // for errors.Is, nil for none
		text string // part of the message
	}{
		{"value", func() (int, error) { return 7, nil }, 7, nil, ""},
		{"error", func() (int, error) { return 3, io.EOF }, 3, io.EOF, "EOF"},
		{"panic with string", func() (int, error) { panic("boom") }, 0, nil, "function panicked: boom"},
		{"panic with error", func() (int, error) { panic(io.EOF) }, 0, io.EOF, "function panicked: EOF"},
		{"panic with nil", func() (int, error) { panic(nil) }, 0, nil, "panic called with nil argument"},
		{"run-time error", func() (int, error) { nilMap["x"] = 1; return 0, nil }, 0, nil, "nil map"},
		{"goexit", func() (int, error) { runtime.Goexit(); return 1, nil }, 0, outcome.ErrGoexit, "runtime.Goexit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, calls, err := settled(tt.fn)
			if diff := cmp.Diff([]int{tt.v, 1}, []int{v, calls}); diff != "" {
				t.Errorf("value and calls of settle (-want +got):\n%s", diff)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("error %v is not %v", err, tt.is)
			}
			if tt.text == "" && err != nil || tt.text != "" && (err == nil || !strings.Contains(err.Error(), tt.text)) {
				t.Errorf("error %v, want one that says %q", err, tt.text)
			}
			if p, ok := errors.AsType[*outcome.PanicError](err); ok && !strings.Contains(string(p.Stack), "outcome_test.go") {
				t.Errorf("the stack does not lead to the panic:\n%s", p.Stack)
			}
		})
	}
}

// C4: a Goexit ends the goroutine, not the loop.
func TestSpawnOutlivesGoexit(t *testing.T) {
	var turns, dones int
	done := make(chan struct{})
	outcome.Spawn(func() {
		for turns < 5 {
			turns++
			if turns%2 == 0 {
				runtime.Goexit()
			}
		}
	}, func() { dones++; close(done) })
	<-done
	if turns != 5 || dones != 1 {
		t.Errorf("turns %d, done called %d times; want 5 and 1", turns, dones)
	}
}

// Call returns the result or the panic of the function, and reports a Goexit while the
// goroutine unwinds.
func TestCall(t *testing.T) {
	never := func() { t.Error("exited") }
	half := func(_ context.Context, v int) (string, error) {
		switch v {
		case 1:
			return "one", nil
		case 2:
			return "", errors.New("two")
		case 3:
			panic("three")
		}
		runtime.Goexit()
		return "", nil
	}
	if s, err := outcome.Call(t.Context(), half, 1, never); s != "one" || err != nil {
		t.Errorf("got %q, %v", s, err)
	}
	if s, err := outcome.Call(t.Context(), half, 2, never); s != "" || err == nil || err.Error() != "two" {
		t.Errorf("got %q, %v", s, err)
	}
	s, err := outcome.Call(t.Context(), half, 3, never)
	if pe, ok := errors.AsType[*outcome.PanicError](err); s != "" || !ok || pe.Value != "three" || len(pe.Stack) == 0 {
		t.Errorf("got %q, %v", s, err)
	}
	exits, returned := 0, false
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = outcome.Call(t.Context(), half, 4, func() { exits++ })
		returned = true
	}()
	<-done
	if exits != 1 || returned {
		t.Errorf("%d exits, returned %v", exits, returned)
	}
}

func TestPermanent(t *testing.T) {
	err := errors.New("no such page")
	marked := outcome.Permanent(err)
	if !outcome.IsPermanent(fmt.Errorf("fetch: %w", marked)) || outcome.IsPermanent(err) || outcome.IsPermanent(nil) {
		t.Error("the mark is not seen, or seen where it is not")
	}
	if !errors.Is(marked, err) || marked.Error() != err.Error() {
		t.Errorf("marked: %v", marked)
	}
	for _, is := range []bool{true, false} { // an error of another package
		if err := fmt.Errorf("fetch: %w", answer{permanent: is}); outcome.IsPermanent(err) != is {
			t.Errorf("an error whose method says %v", is)
		}
	}
}

type answer struct{ permanent bool }

func (answer) Error() string     { return "no" }
func (a answer) Permanent() bool { return a.permanent }

//go:noinline
func indexOutOf(list []int) (int, error) { return list[len(list)], nil }

// C4: the error of a panic names its place, in one line, and %+v prints the stack.
func TestC4APanicNamesItsPlace(t *testing.T) {
	for name, fn := range map[string]func() (int, error){
		"Panics":     func() (int, error) { panic("boom") },
		"indexOutOf": func() (int, error) { return indexOutOf(nil) },
		"repanic": func() (int, error) {
			defer func() { panic(fmt.Sprint("again: ", recover())) }()
			panic("boom")
		},
	} {
		_, _, err := settled(fn)
		text := err.Error()
		if !strings.Contains(text, "outcome_test.go:") || !strings.Contains(text, "outcome_test.") || strings.Contains(text, "\n") {
			t.Errorf("%s: %q names no place", name, text)
		}
		if name == "indexOutOf" && !strings.Contains(text, "outcome_test.indexOutOf (") {
			t.Errorf("%q names another place", text)
		}
		if full := fmt.Sprintf("%+v", err); !strings.HasPrefix(full, text) || !strings.Contains(full, "goroutine ") {
			t.Errorf("%%+v has no stack: %s", full)
		}
		if plain := fmt.Sprintf("%v|%s", err, err); plain != text+"|"+text {
			t.Errorf("%%v and %%s print %q", plain)
		}
		if quoted := fmt.Sprintf("%q", err); quoted != fmt.Sprintf("%q", text) {
			t.Errorf("%%q prints %s", quoted)
		}
	}
	if got := (&outcome.PanicError{Value: "boom"}).Error(); !strings.HasSuffix(got, ": boom") {
		t.Errorf("without a place: %q", got)
	}
}

// A hollow is an error of which a function returns a nil pointer.
type hollow struct{ error }

func (e *hollow) Unwrap() error { return e.error }

func hollowed() error {
	var e *hollow
	return e
}

// C4: an error whose methods panic, as those of a nil pointer do, is the error of that panic.
func TestC4MethodsOfAnErrorPanic(t *testing.T) {
	_, _, ran := settled(func() (int, error) { return 0, hollowed() })
	_, called := outcome.Call(t.Context(), func(context.Context, int) (int, error) { return 0, hollowed() }, 1, func() {})
	for name, err := range map[string]error{"Run": ran, "Call": called, "Sound": outcome.Sound(hollowed()), "NotStarted": outcome.NotStarted(hollowed())} {
		if p, ok := errors.AsType[*outcome.PanicError](err); !ok || !strings.Contains(p.Error(), "hollow).Unwrap") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := outcome.Sound(io.EOF); err != io.EOF || outcome.Sound(nil) != nil {
		t.Error("an error that is sound does not stay as it is")
	}
}

// C11: the error of a task that never started matches ErrNotStarted and its cause.
func TestC11NotStartedMatchesItsCause(t *testing.T) {
	err := outcome.NotStarted(io.EOF)
	if !errors.Is(err, outcome.ErrNotStarted) || !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v matches the wrong errors", err)
	}
	if again := outcome.NotStarted(err); again != err {
		t.Errorf("marked twice: %v", again)
	}
	if errors.Is(io.EOF, outcome.ErrNotStarted) {
		t.Error("any error matches ErrNotStarted")
	}
}

// C10: a TaskError names its task and wraps its error.
func TestC10TaskErrorNamesTheTask(t *testing.T) {
	err := error(&outcome.TaskError{Index: 3, Err: io.EOF})
	if err.Error() != "task 3: EOF" || !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}
