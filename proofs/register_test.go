package proofs_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/stage"
)

// What can be done to a register, and to a counter. get and add are answered by a
// number.
type (
	set struct{ v int }
	get struct{}
	add struct{}
)

func registerModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return 0 },
		Step: func(state, in, out any) (bool, any) {
			switch in := in.(type) {
			case set:
				return true, in.v
			case get:
				return out == state, state
			case add:
				next := state.(int) + 1
				return out == next, next
			}
			panic("no such operation")
		},
	}
}

// latestScene is a Latest that some set, one gets, and one walks over.
func latestScene(t testing.TB, h *history, writers, each int) scene {
	var latest broadcast.Latest[int]
	latest.Set(0)
	var writing atomic.Int32
	writing.Store(int32(writers))
	ctx, cancel := context.WithCancel(t.Context())
	s := scene{model: registerModel, end: cancel}
	for client := range writers {
		s.clients = append(s.clients, func(l *callLog) {
			for i := range each {
				v := 1 + client*each + i
				l.do(set{v}, func() any { latest.Set(v); return nil })
			}
			if writing.Add(-1) == 0 {
				cancel()
			}
		})
	}
	s.clients = append(s.clients, func(l *callLog) {
		for range each {
			l.do(get{}, func() any { v, _ := latest.Get(); return v })
		}
	}, func(l *callLog) {
		from := h.now()
		for v := range latest.Changes(ctx) {
			l.note(get{}, v, from, h.now())
			from = h.now()
		}
	})
	return s
}

// A Latest is a register, also for those who walk over its changes.
func TestLatestIsARegister(t *testing.T) {
	threads(t, func(t testing.TB, h *history, _ int) scene { return latestScene(t, h, 2, 12) })
}

// mutexScene is a number that is counted up behind a mutex.
func mutexScene(t testing.TB, clients, each int) scene {
	mu := stage.NewMutex(nil)
	n := 0
	s := scene{model: registerModel}
	for range clients {
		s.clients = append(s.clients, func(l *callLog) {
			for range each {
				l.do(add{}, func() any {
					if err := mu.Lock(t.Context()); err != nil {
						t.Error(err)
					}
					defer mu.Unlock()
					n++
					return n
				})
			}
		})
	}
	return s
}

// A mutex lets in one by one: what is counted inside is a counter.
func TestMutexGuardsACounter(t *testing.T) {
	threads(t, func(t testing.TB, _ *history, _ int) scene { return mutexScene(t, 4, 12) })
}

// What is no register is not taken for one.
func TestModelRejectsNoRegisters(t *testing.T) {
	for name, ops := range map[string][]porcupine.Operation{
		"one that is late": {
			{Input: set{1}, Call: 0, Return: 10},
			{Input: get{}, Output: 0, Call: 20, Return: 30},
		},
		"one that goes back": {
			{Input: set{1}, Call: 0, Return: 100},
			{Input: get{}, Output: 1, Call: 10, Return: 20},
			{Input: get{}, Output: 0, Call: 30, Return: 40},
		},
		"a counter that two read at once": {
			{Input: add{}, Output: 1, Call: 0, Return: 10},
			{Input: add{}, Output: 1, Call: 0, Return: 10},
		},
	} {
		t.Log(name)
		(&history{ops: ops}).reject(t, registerModel())
	}
}
