// Package casttest has the laws of a [broadcast.Subscription], for a broadcast in this
// process and for one across processes. It uses only the public methods, and waits for
// values in flight. The name of each begins with the id of a law of LAWS.md.
package casttest

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/tandemgo/tandem/broadcast"
)

// A Cast is a broadcast of numbers.
type Cast interface {
	Send(ctx context.Context, v int) error
	Subscribe(opts ...broadcast.SubscribeOption) (*broadcast.Subscription[int], error)
	Close() error
}

// Run tests all laws. open makes a new broadcast that retains capacity values and
// closes it at the end of the test.
func Run(t *testing.T, open func(t *testing.T, capacity int) Cast) {
	for _, l := range laws {
		t.Run(l.name, func(t *testing.T) { l.holds(t, &cast{Cast: open(t, l.capacity), capacity: l.capacity}) })
	}
}

// A law is a test for a broadcast of a given capacity.
type law struct {
	name     string
	capacity int
	holds    func(t *testing.T, b *cast)
}

var laws = []law{
	{"B1OneOrder", 4096, oneOrder},
	{"B1EachValueToOneReader", 4096, eachToOne},
	{"B2Books", 8, books},
	{"B2ExactGaps", 10, exactGaps},
	{"B2SkipToLatest", 10, skipToLatest},
	{"B2Disconnect", 4, disconnect},
	{"B2BooksAfterTheEnd", 4, booksAfterTheEnd},
	{"B3EndedContext", 8, endedContext},
	{"B4BlockMissesNothing", 8, blockMissesNothing},
	{"B4ClosingABlockFrees", 3, closingFrees},
	{"B7Replay", 5, replay},
	{"B7ReplayMeetsLive", 4096, replayMeetsLive},
	{"B7From", 5, from},
	{"B7NothingAfterClose", 64, nothingAfterClose},
	{"B1WaysToReadAgree", 256, waysAgree},
	{"C6CloseOfASubscription", 8, closeSubscription},
	{"B4EndOfAContext", 8, endOfContext},
	{"C2WaitIsCancelled", 8, waitIsCancelled},
	{"C6Close", 8, closeAll},
	{"C6CloseFromWithin", 8, closeFromWithin},
}

// A cast is a Cast under test.
type cast struct {
	Cast
	capacity int
	sent     int
}

// subscribe is Subscribe, and fails the test on an error.
func (b *cast) subscribe(t *testing.T, opts ...broadcast.SubscribeOption) *broadcast.Subscription[int] {
	t.Helper()
	s, err := b.Subscribe(opts...)
	if err != nil {
		t.Fatalf("Subscribe: %v", err)
	}
	return s
}

// send sends the next n numbers. The first number of a cast is 0.
func (b *cast) send(t *testing.T, n int) {
	t.Helper()
	for range n {
		if err := b.Send(context.Background(), b.sent); err != nil {
			t.Errorf("Send(%d): %v", b.sent, err)
			return
		}
		b.sent++
	}
}

// put sends the next n numbers and returns when they have arrived.
func (b *cast) put(t *testing.T, n int) {
	t.Helper()
	probe := b.subscribe(t)
	defer probe.Close()
	b.send(t, n)
	eventually(t, "all values have arrived", func() bool { return probe.Missed()+probe.Backlog() == uint64(n) })
}

// eventually returns when holds returns true. It polls.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("it is not so that %s", what)
		}
	}
}

// next reads one value, which must be want.
func next(t *testing.T, s *broadcast.Subscription[int], want int) {
	t.Helper()
	if v, err := s.Next(context.Background()); v != want || err != nil {
		t.Fatalf("Next: %d, %v; want %d", v, err, want)
	}
}

// rest reads all remaining values. Each gap must be where values are missing, and
// exact.
func rest(t *testing.T, s *broadcast.Subscription[int], next int) (got []int, missed uint64) {
	t.Helper()
	for gap, v := range WithGaps(s.All(context.Background())) {
		if missed += gap; v != next+int(gap) {
			t.Errorf("value %d with a gap of %d, want %d", v, gap, next)
		}
		next = v + 1
		got = append(got, v)
	}
	return got, missed
}

// WithGaps returns an iterator over the values, each with the number of missing values
// before it. An error that is not a gap ends it.
func WithGaps[T any](all iter.Seq2[T, error]) iter.Seq2[uint64, T] {
	return func(yield func(uint64, T) bool) {
		missed := uint64(0)
		for v, err := range all {
			if gap, ok := errors.AsType[*broadcast.GapError](err); ok {
				missed += gap.Missed
				continue
			}
			if err != nil || !yield(missed, v) {
				return
			}
			missed = 0
		}
	}
}
