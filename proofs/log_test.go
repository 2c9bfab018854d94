package proofs_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/tandemgo/tandem/broadcast"
)

// What can be done to a log.
type (
	send struct{ v int } // answered by whether there was room
	read struct {        // answered by a readOut
		reader, at int // where the reader was
	}
	readOut struct {
		v, missed int
		none      bool // nothing there; the log was closed before
	}
)

// A logState is what was sent, and where each reader is.
type logState struct {
	sent    []int
	cursors []int
}

// logModel is a log of which the last values are retained. Readers for whom
// senders have to wait come first, skip is the first one that can miss something.
func logModel(readers, skip, capacity int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return logState{cursors: make([]int, readers)} },
		Step: func(state, in, out any) (bool, any) {
			s := state.(logState)
			switch in := in.(type) {
			case send:
				room := !slices.ContainsFunc(s.cursors[:skip], func(c int) bool { return len(s.sent)-c >= capacity })
				if !room || out == false {
					return out == room, s
				}
				return true, logState{append(slices.Clip(s.sent), in.v), s.cursors}
			case read:
				got, backlog := out.(readOut), len(s.sent)-in.at
				switch {
				case in.at != s.cursors[in.reader]:
					return false, s
				case backlog == 0:
					return got.none, s
				case backlog > capacity: // a gap, exactly so long
					return got.missed == backlog-capacity, s.move(in.reader, in.at+got.missed)
				}
				return !got.none && got.missed == 0 && got.v == s.sent[in.at], s.move(in.reader, in.at+1)
			}
			panic("no such operation")
		},
		Equal: func(a, b any) bool {
			x, y := a.(logState), b.(logState)
			return slices.Equal(x.sent, y.sent) && slices.Equal(x.cursors, y.cursors)
		},
	}
}

func (s logState) move(reader, to int) logState {
	cursors := slices.Clone(s.cursors)
	cursors[reader] = to
	return logState{s.sent, cursors}
}

// logScene is a broadcast, with a reader for each policy: those that block first.
func logScene(t testing.TB, h *history, senders, each, capacity int, policies ...broadcast.OverflowPolicy) scene {
	skip := 0 // the first one that can miss something
	for skip < len(policies) && policies[skip] == broadcast.Block {
		skip++
	}
	b := broadcast.New[int](broadcast.WithCapacity(capacity))
	s := scene{model: func() porcupine.Model { return logModel(len(policies), skip, capacity) }}
	for client := range senders {
		s.clients = append(s.clients, func(l *callLog) {
			for i := range each {
				l.do(send{client*each + i}, func() any { return b.TrySend(client*each+i) == nil })
			}
		})
	}
	for reader, policy := range policies {
		sub, err := b.Subscribe(broadcast.WithOverflow(policy))
		if err != nil {
			t.Fatal(err)
		}
		s.clients = append(s.clients, func(l *callLog) {
			for range senders * each {
				if sub.Backlog() > 0 { // so that it need not wait for what may not come
					l.read(t, sub, reader)
				}
			}
		})
	}
	return s
}

// B1–B4: a broadcast is a log: senders append to it, and each subscription reads
// all of it, or the exact number of what it has missed.
func TestBroadcastIsALog(t *testing.T) {
	policies := []broadcast.OverflowPolicy{broadcast.Block, broadcast.SkipOldest, broadcast.SkipOldest}
	threads(t, func(t testing.TB, h *history, round int) scene {
		return logScene(t, h, 2, 12, 4, policies[round%2:]...) // half of them without one that blocks
	})
}

// read reads what is next.
func (l *callLog) read(t testing.TB, s *broadcast.Subscription[int], reader int) {
	l.do(read{reader, int(s.Position())}, func() any {
		v, err := s.Next(t.Context())
		if gap, ok := errors.AsType[*broadcast.GapError](err); ok {
			return readOut{missed: int(gap.Missed)}
		}
		return readOut{v: v, none: err != nil}
	})
}

// What is no log is not taken for one.
func TestModelRejectsNoLogs(t *testing.T) {
	for name, outs := range map[string][]readOut{
		"one that loses":           {{v: 0}, {v: 2}, {v: 3}},
		"one that repeats":         {{v: 0}, {v: 0}, {v: 1}},
		"one that changes order":   {{v: 1}, {v: 0}, {v: 2}},
		"one that ends too early":  {{v: 0}, {none: true}},
		"a gap without a reason":   {{missed: 1}, {v: 1}},
		"a value that was dropped": {{v: 0}, {v: 1}, {v: 2}, {v: 3}, {none: true}},
	} {
		h := newHistory()
		h.play(0, func(l *callLog) {
			for v := range 4 {
				l.do(send{v}, func() any { return true })
			}
			at := 0
			for _, out := range outs {
				l.do(read{0, at}, func() any { return out })
				at += max(1, out.missed)
			}
		})
		t.Log(name)
		capacity := 4
		if name == "a value that was dropped" {
			capacity = 3
		}
		h.reject(t, logModel(1, 0, capacity))
	}
	for name, out := range map[string]bool{"overwrites what a reader blocks for": true, "full too early": false} {
		h := newHistory()
		h.play(0, func(l *callLog) {
			l.do(send{0}, func() any { return true })
			l.do(send{1}, func() any { return out })
		})
		t.Log(name)
		if out {
			h.reject(t, logModel(1, 1, 1))
		} else {
			h.reject(t, logModel(1, 1, 2))
		}
	}
	// Two readers that see two orders.
	h := newHistory()
	h.play(0, func(l *callLog) {
		now := h.now()
		l.note(send{1}, true, now, now+100)
		l.note(send{2}, true, now, now+100)
		for reader, order := range [][]int{{1, 2}, {2, 1}} {
			for at, v := range order {
				l.note(read{reader, at}, readOut{v: v}, now+200, now+300)
			}
		}
	})
	h.reject(t, logModel(2, 0, 4))
}
