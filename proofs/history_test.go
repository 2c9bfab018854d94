package proofs_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// A history records calls of goroutines that run at once: what was asked, what
// was answered, and from when to when.
type history struct {
	now    func() int64
	inTurn bool // only one goroutine pops

	mu  sync.Mutex
	ops []porcupine.Operation
}

// newHistory returns a history in nanoseconds: unlike a counter that all share, a
// clock puts those who read it in no order.
func newHistory() *history {
	start := time.Now()
	return &history{now: func() int64 { return int64(time.Since(start)) }}
}

// A callLog records the calls of one goroutine.
type callLog struct {
	h      *history
	client int
	ops    []porcupine.Operation
}

// do records a call that returns what it answered.
func (l *callLog) do(in any, call func() (out any)) {
	from := l.h.now()
	out := call()
	l.note(in, out, from, l.h.now())
}

// note records a call that was made between two instants.
func (l *callLog) note(in, out any, from, to int64) {
	l.ops = append(l.ops, porcupine.Operation{ClientId: l.client, Input: in, Output: out, Call: from, Return: to})
}

// play calls fn with the log of a client, and keeps it.
func (h *history) play(client int, fn func(l *callLog)) {
	l := &callLog{h: h, client: client}
	fn(l)
	h.keep(l)
}

func (h *history) keep(l *callLog) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, l.ops...)
}

// accept fails the test if the history is not one of the model.
func (h *history) accept(t testing.TB, m porcupine.Model) {
	t.Helper()
	if !porcupine.CheckOperations(m, h.ops) {
		t.Errorf("not linearizable:\n%v", h)
	}
}

// reject fails the test if the history is one of the model. It is how a model
// shows that it can say no.
func (h *history) reject(t testing.TB, m porcupine.Model) {
	t.Helper()
	if porcupine.CheckOperations(m, h.ops) {
		t.Errorf("linearizable:\n%v", h)
	}
}

// String returns the calls, a line for each, first begun first.
func (h *history) String() string {
	slices.SortStableFunc(h.ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	var b strings.Builder
	for _, op := range h.ops {
		in := strings.TrimPrefix(fmt.Sprintf("%T%+v", op.Input, op.Input), "proofs_test.")
		fmt.Fprintf(&b, "%8d to %8d  client %d  %-20s %+v\n", op.Call, op.Return, op.ClientId, in, op.Output)
	}
	return b.String()
}
