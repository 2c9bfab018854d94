package httplimit

import (
	"container/list"
	"context"
	"fmt"
	"time"

	"github.com/tandemgo/tandem/internal/sched"
)

// How a Transport keeps the order.
//
// Requests with the same key that have not been sent are in a line, in the order in
// which they came. Usually each of them asks the Taker at once, so that it waits in
// the Taker's own line and hears at once if its deadline is too early. When a server
// wants to be left alone, those that ask are recalled: they lose their permits, which
// would be spent on nothing, and keep their places. When the pause is over, they ask
// one after the other: the next one when the one in front has a place in the Taker's
// line, if the Taker has one, or has a permit. A Taker that can't be waited for is
// asked by the first in line only, once it has denied one.

// maxPaused bounds how many pauses of keys are remembered for which no request waits.
const maxPaused = 1 << 16

// lines are those of a Transport.
type lines[K comparable] struct {
	mu     sched.Mutex
	of     map[K]*line // those with requests, or with a pause
	paused int         // how many got a pause since the last sweep
	kept   int         // how many lines there were after it
}

// A line is that of a key. All of it is guarded by mu of lines.
type line struct {
	until    time.Time     // no request is sent before
	requests list.List     // of *request, by order
	next     *list.Element // the first that does not ask, or nil
	// strict is set as long as the order of those that are let in matters, that is
	// until none is left that does not ask.
	strict bool
	inside *request // if strict, the one that was let in last and has no place yet
}

// A request is in a line until it may be sent.
type request struct {
	order    uint64
	place    *list.Element
	wake     chan struct{} // has room for one
	askAt    time.Time     // not before, as the Taker has said
	asks     bool          // it asks the Taker
	recall   func()        // ends that, if it is not nil
	recalled bool          // it is to ask again
}

// stranger reports whether a key has no line: no request waits, and the server has
// not asked for a pause that has not been forgotten.
func (ls *lines[K]) stranger(k K) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.of[k] == nil
}

// join puts a request in the line of its key, in front of those that came later. It
// may have been sent already, and is to be sent again.
func (ls *lines[K]) join(k K, order uint64) (*line, *request) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.lineLocked(k)
	q := &request{order: order, wake: make(chan struct{}, 1)}
	if last := l.requests.Back(); last == nil || last.Value.(*request).order < order {
		q.place = l.requests.PushBack(q)
	} else {
		later := l.requests.Front()
		for later.Value.(*request).order < order {
			later = later.Next()
		}
		q.place = l.requests.InsertBefore(q, later)
	}
	l.nextLocked(q)
	return l, q
}

// nextLocked makes q the next one, if it comes before that.
func (l *line) nextLocked(q *request) {
	if l.next == nil || l.next.Value.(*request).order > q.order {
		l.next = q.place
	}
}

func (ls *lines[K]) lineLocked(k K) *line {
	l := ls.of[k]
	if l == nil {
		l = new(line)
		ls.of[k] = l
	}
	return l
}

// enter waits until a request may ask the Taker, and returns the context to do so. It
// returns an error if ctx ends, or will before that.
func (ls *lines[K]) enter(ctx context.Context, l *line, q *request) (context.Context, error) {
	for {
		if sched.Err(ctx) != nil {
			return nil, context.Cause(ctx)
		}
		asking, first, d := ls.look(ctx, l, q)
		if asking != nil {
			return asking, nil
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
			return nil, fmt.Errorf("httplimit: not to be sent for %v, the deadline is in %v: %w", d, time.Until(deadline), context.DeadlineExceeded)
		}
		q.park(ctx, first, d)
	}
}

// park waits until q is woken or ctx ends, and if q is the first, for d at most.
func (q *request) park(ctx context.Context, first bool, d time.Duration) {
	if first {
		sched.Opaque("timer")
		timer := time.AfterFunc(d, q.look)
		defer timer.Stop()
	}
	sched.ParkCtx(ctx, q.wake)
}

// look lets a request in, if it is its turn. Otherwise it returns how long that will
// take at least, and whether it is to look again then.
func (ls *lines[K]) look(ctx context.Context, l *line, q *request) (asking context.Context, first bool, d time.Duration) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	at := l.until
	if t := l.next.Value.(*request).askAt; t.After(at) { // there is one, since q does not ask
		at = t
	}
	first, d = l.next == q.place && l.inside == nil, time.Until(at)
	if !first || d > 0 {
		l.strict = true
		return nil, first, d
	}
	q.asks = true
	asking, cancel := context.WithCancel(ctx)
	q.recall = func() { sched.Cancel(cancel) }
	if l.strict {
		l.inside = q
	}
	l.skipLocked()
	if l.inside == nil {
		l.wakeLocked()
	}
	return asking, false, 0
}

// skipLocked moves next to the first request, from there on, that does not ask.
func (l *line) skipLocked() {
	for l.next != nil && l.next.Value.(*request).asks {
		l.next = l.next.Next()
	}
	if l.next == nil && l.inside == nil {
		l.strict = false
	}
}

// wakeLocked wakes the request whose turn it is.
func (l *line) wakeLocked() {
	if l.next != nil && l.inside == nil {
		l.next.Value.(*request).look()
	}
}

// look makes a request look again.
func (q *request) look() { sched.Signal(q.wake) }

// placed lets the next request in, since q is in the Taker's line.
func (ls *lines[K]) placed(l *line, q *request) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l.outLocked(q)
}

func (l *line) outLocked(q *request) {
	if l.inside == q {
		l.inside = nil
		l.skipLocked()
		l.wakeLocked()
	}
}

// returned notes that the Taker has answered. It returns false if the request has to
// ask again, since it was recalled.
func (ls *lines[K]) returned(k K, l *line, q *request, ended bool) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	q.recall()
	q.recall = nil
	if q.recalled && !ended {
		q.recalled = false
		return false
	}
	ls.leaveLocked(k, l, q)
	return true
}

// denied puts a request back that has to ask again after d.
func (ls *lines[K]) denied(l *line, q *request, d time.Duration) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	q.recall()
	q.recall = nil
	q.askAt = time.Now().Add(d)
	q.asks, q.recalled = false, false
	l.strict = true
	if l.inside == q {
		l.inside = nil
	}
	l.nextLocked(q)
	l.wakeLocked()
}

// leave takes a request out of its line.
func (ls *lines[K]) leave(k K, l *line, q *request) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.leaveLocked(k, l, q)
}

func (ls *lines[K]) leaveLocked(k K, l *line, q *request) {
	if l.next == q.place {
		l.next = q.place.Next()
	}
	l.requests.Remove(q.place)
	if l.inside == q {
		l.inside = nil
	}
	l.skipLocked()
	l.wakeLocked()
	if l.requests.Len() == 0 && !time.Now().Before(l.until) {
		delete(ls.of, k)
	}
}

// pause keeps all requests of a key from being sent for d.
func (ls *lines[K]) pause(k K, d time.Duration) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	now := time.Now()
	l := ls.lineLocked(k)
	if until := now.Add(d); until.After(l.until) {
		l.until = until
		l.recallLocked()
	}
	ls.forgetLocked(k, now)
}

// recallLocked recalls the requests that ask. The others have to look whether their deadlines
// are too early now.
func (l *line) recallLocked() {
	for e := l.requests.Front(); e != nil; e = e.Next() {
		q := e.Value.(*request)
		if q.asks {
			q.asks, q.recalled = false, true
			q.recall()
		}
		q.look()
	}
	l.next, l.inside = l.requests.Front(), nil
	l.strict = l.next != nil
}

// forgetLocked forgets lines without requests, other than that of k, which has got a
// pause: those whose pause is over, as soon as there may be as many of them as of the
// others, and any of them if there are too many.
func (ls *lines[K]) forgetLocked(k K, now time.Time) {
	if ls.paused++; ls.paused > ls.kept+64 {
		for k, l := range ls.of {
			if l.requests.Len() == 0 && !now.Before(l.until) {
				delete(ls.of, k)
			}
		}
		ls.paused, ls.kept = 0, len(ls.of)
	}
	if len(ls.of) > maxPaused {
		for other, l := range ls.of {
			if other != k && l.requests.Len() == 0 {
				delete(ls.of, other)
				break
			}
		}
	}
}
