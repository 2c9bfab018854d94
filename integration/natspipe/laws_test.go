package natspipe_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pipeline/natspipe"
)

func same(_ context.Context, v int) (int, error) { return v, nil }

// N1: several processes share a stream, and each message is stored once.
func TestN1EachMessageIsStoredOnce(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	x := newTrial(t, s.URL(), 1)
	x.fill(1000)
	var workers []*worker
	for range 3 {
		workers = append(workers, x.work(s.URL(), "w", natspipe.Map(same), nil, nil))
	}
	until(t, "all is stored", func() bool { return messages(t, x.js, x.out) >= 1000 })
	total := uint64(0)
	for _, w := range workers {
		if err := w.end(t); err != nil {
			t.Error(err)
		}
		checkSum(t, w.source.Stats())
		total += w.source.Stats().Acked
	}
	if total != 1000 {
		t.Errorf("%d acknowledged", total)
	}
	once(t, x.js, x.out, 1000)
	x.nothingIsLeft("w")
}

// N1: two pipelines with different names each read everything, and what they store does
// not pass for repeats of each other.
func TestN1PipelinesOfDifferentNamesAreApart(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	x := newTrial(t, s.URL(), 1)
	x.fill(10)
	x.work(s.URL(), "a", natspipe.Map(same), nil, nil)
	x.work(s.URL(), "b", natspipe.Map(same), nil, nil)
	until(t, "both are stored", func() bool { return messages(t, x.js, x.out) == 20 })
}

// N2: a message is acknowledged when the last value made of it has ended, and not before.
func TestN2AcknowledgedWithTheLastValue(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	x := newTrial(t, s.URL(), 1)
	x.fill(1)
	gate := make(chan struct{})
	three := natspipe.FlatMap(func(_ context.Context, v int, emit func(int) error) error {
		for i := range 3 {
			if err := emit(i); err != nil {
				return err
			}
		}
		return nil
	})
	last := natspipe.Filter(func(_ context.Context, v int) (bool, error) {
		if v == 2 {
			<-gate
		}
		return v != 1, nil
	})
	w := x.work(s.URL(), "w", pipeline.Then(three, last), nil, nil)
	until(t, "the first value is stored", func() bool { return w.sink.Stats().Stored == 1 })
	if st := w.source.Stats(); st.Held != 1 || st.Acked != 0 {
		t.Errorf("with a value under way: %+v", st)
	}
	close(gate)
	until(t, "it is acknowledged", func() bool { return w.source.Stats().Acked == 1 })
	if got := stored(t, x.js, x.out); !slices.Equal(got, []int{0, 2}) {
		t.Errorf("stored %v", got)
	}
}

// N2: a FlatMap that emits nothing, a Filter that keeps nothing and an ErrSkip settle the
// message, and a batch settles all of its messages.
func TestN2EveryEndOfAnEnvelope(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	nothing := natspipe.FlatMap(func(context.Context, int, func(int) error) error { return nil })
	filter := natspipe.Filter(func(context.Context, int) (bool, error) { return false, nil })
	skip := natspipe.Map(func(context.Context, int) (int, error) { return 0, fmt.Errorf("not this one: %w", pipeline.ErrSkip) })
	batch := pipeline.Then(natspipe.Batch[int](4, 10*time.Millisecond), natspipe.Map(func(_ context.Context, all []int) (int, error) { return len(all), nil }))
	byKey := natspipe.ByKey(3, func(v int) int { return v }, natspipe.Map(same))
	for name, c := range map[string]struct {
		stage pipeline.Stage[natspipe.Msg[int], natspipe.Msg[int]]
		acked uint64
	}{"nothing": {nothing, 10}, "filter": {filter, 10}, "skip": {skip, 0}, "batch": {batch, 10}, "by key": {byKey, 10}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTrial(t, s.URL(), 1)
			x.fill(10)
			w := x.work(s.URL(), "w", c.stage, nil, nil)
			until(t, "all is settled", func() bool { st := w.source.Stats(); return st.Acked == c.acked && st.Acked+st.Dropped == 10 })
			must0(w.end(t))
			x.nothingIsLeft("w")
		})
	}
}

// N2: whatever ends a run early, what was under way is handed back at once, and another
// process stores each message once.
func TestN2WhatIsUnderWayIsHandedBack(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	boom := errors.New("boom")
	for _, end := range []string{"cancel", "error", "break", "take"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			x := newTrial(t, s.URL(), 1)
			const n = 100
			x.fill(n)
			in := must(natspipe.NewSource[int](soon(t), x.js, x.in, "w"))
			out := must(natspipe.NewSink[int](soon(t), x.js, x.out))
			ctx, cancel := context.WithCancel(t.Context())
			var seen atomic.Int64
			each := natspipe.Map(func(ctx context.Context, v int) (int, error) {
				if seen.Add(1) > 40 && end == "cancel" {
					cancel()
					<-ctx.Done()
					return 0, ctx.Err()
				}
				return v, nil
			}, pipeline.WithWorkers(4))
			chain := pipeline.Then(each, out.Stage())
			if end == "error" {
				chain = pipeline.Then(pipeline.Map(func(_ context.Context, m natspipe.Msg[int]) (natspipe.Msg[int], error) {
					if m.Value == 40 {
						return m, boom
					}
					return m, nil
				}), chain)
			}
			if end == "take" {
				chain = chain.Take(40)
			}
			got := 0
			for _, err := range chain.Run(ctx, in.All) {
				if got++; got == 40 && end == "break" {
					break
				}
				if err != nil && end == "error" && !errors.Is(err, boom) {
					t.Error(err)
				}
			}
			cancel()
			must0(in.Close())
			checkSum(t, in.Stats())
			if st := in.Stats(); st.Held != 0 || st.HandedBack == 0 && (end == "cancel" || end == "error") {
				t.Errorf("after Close: %+v", st)
			}
			begin := time.Now()
			x.work(s.URL(), "w", natspipe.Map(same), nil, nil)
			until(t, "the rest is stored", func() bool { return messages(t, x.js, x.out) == n })
			if d := time.Since(begin); d > 10*time.Second {
				t.Errorf("another process gets it after %v", d) // AckWait is 30 s
			}
			once(t, x.js, x.out, n)
		})
	}
}

// N3: a message that is delivered again, since one of its values failed, is stored once.
func TestN3RepeatsAreStoredOnce(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	x := newTrial(t, s.URL(), 1)
	x.fill(20)
	var tries atomic.Int64
	twice := natspipe.FlatMap(func(_ context.Context, v int, emit func(int) error) error {
		_, _ = emit(v), emit(v+20)
		return nil
	})
	flaky := natspipe.Map(func(_ context.Context, v int) (int, error) {
		if v >= 20 && tries.Add(1) <= 20 {
			return 0, errors.New("not yet")
		}
		return v, nil
	})
	w := x.work(s.URL(), "w", pipeline.Then(twice, flaky), []natspipe.Option{natspipe.WithBackoff(10 * time.Millisecond), natspipe.WithMaxDeliver(50)}, nil)
	until(t, "all is acknowledged", func() bool { return w.source.Stats().Acked == 20 })
	must0(w.end(t))
	once(t, x.js, x.out, 40)
	if st := w.sink.Stats(); st.Duplicates == 0 || st.Stored != 40 {
		t.Errorf("%+v", st)
	}
}

func keyOf(v int) string { return strconv.Itoa(v % 10) }

// N4: for each key the order of the stream is that of the results, with several processes
// that come and go, many workers, and functions that take different times and fail.
func TestN4OrderPerKey(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	x := newTrial(t, s.URL(), 1)
	const n = 600
	inOrder, outOrder := natspipe.WithKey(6, keyOf), natspipe.WithKey(4, keyOf)
	x.fill(n, inOrder)
	var failed atomic.Int64
	uneven := natspipe.Map(func(_ context.Context, v int) (int, error) {
		time.Sleep(time.Duration(v%3) * time.Millisecond)
		if v%50 == 0 && failed.Add(1)%2 == 1 {
			return 0, errors.New("not yet")
		}
		return v, nil
	}, pipeline.WithWorkers(8), pipeline.Unordered())
	start := func() *worker {
		return x.work(s.URL(), "w", uneven, []natspipe.Option{natspipe.WithPartitions(x.in, 6), natspipe.WithBackoff(20 * time.Millisecond), natspipe.WithMaxDeliver(100)},
			[]natspipe.Option{outOrder})
	}
	a, b := start(), start()
	until(t, "both have some", func() bool { return a.sink.Stats().Stored > 50 && b.sink.Stats().Stored > 50 })
	must0(a.end(t))
	c := start()
	until(t, "the new one has its share", func() bool { return c.sink.Stats().Stored > 50 })
	b.cancel(errors.New("at once"))
	_ = b.end(t)
	until(t, "all is stored", func() bool { return messages(t, x.js, x.out) == n })
	inOrderPerKey(t, x.js, x.out, n, keyOf)
}

// gated is JetStream that sends no value before n are under way at once.
type gated struct {
	jetstream.JetStream
	n       int64
	waiting atomic.Int64
	once    sync.Once
	open    chan struct{}
}

func (g *gated) PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) == g.n {
		g.once.Do(func() { close(g.open) })
	}
	select {
	case <-g.open:
		return g.JetStream.PublishMsg(ctx, m, opts...)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// N4: a Sink sends the values of several keys at once, also if they have one partition.
func TestN4KeysDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	x := newTrial(t, s.URL(), 1)
	x.js = &gated{JetStream: x.js, n: 4, open: make(chan struct{})}
	const n = 40
	x.fill(n, natspipe.WithKey(1, strconv.Itoa))
	once(t, x.js, x.in, n)
}

// inOrderPerKey fails the test unless a stream has the numbers from 0 to n-1 once, and
// those of each key in order.
func inOrderPerKey(t *testing.T, js jetstream.JetStream, stream string, n int, key func(int) string) {
	t.Helper()
	want, got := map[string][]int{}, map[string][]int{}
	for v := range n {
		want[key(v)] = append(want[key(v)], v)
	}
	for _, v := range stored(t, js, stream) {
		got[key(v)] = append(got[key(v)], v)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("per key, -want +got:\n%s", diff)
	}
}

// N4: partitions that are not read are an error, and so is another number of them.
func TestN4PartitionsMustAgree(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	x := newTrial(t, s.URL(), 1)
	x.fill(100, natspipe.WithKey(8, keyOf))
	_, err := natspipe.NewSource[int](soon(t), x.js, x.in, "w", natspipe.WithPartitions(x.in, 4))
	if err == nil || !strings.Contains(err.Error(), "subjects must be "+x.in+".0 to "+x.in+".3, there are messages of") {
		t.Errorf("too few: %v", err)
	}
	must(natspipe.NewSource[int](soon(t), x.js, x.in, "w", natspipe.WithPartitions(x.in, 8)))
	_, err = natspipe.NewSource[int](soon(t), x.js, x.in, "w", natspipe.WithPartitions(x.in, 9))
	if err == nil || !strings.Contains(err.Error(), "must have 9 partitions, has 8") {
		t.Errorf("another number: %v", err)
	}
	// A Source without partitions may have the name of the consumer of one.
	must(natspipe.NewSource[int](soon(t), x.js, x.in, "v-7"))
	_, err = natspipe.NewSource[int](soon(t), x.js, x.in, "v", natspipe.WithPartitions(x.in, 8))
	if err == nil || !strings.Contains(err.Error(), `consumer "v-7" must have subject "`+x.in+`.7"`) {
		t.Errorf("a consumer of another Source: %v", err)
	}
}

// N3: ids that a header cannot hold as they are, are not taken for each other.
func TestN3OddIDs(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	x := newTrial(t, s.URL(), 1)
	ids := []string{"", " ", "  ", "a", " a", "a ", "\ta", "a b", "a\nb", "a\rb", "a\r\nb", "a\x00b", "%=a", "%=%20a", "%20a", "é", "\xff", "\xfe", "a>b"}
	var all []natspipe.Msg[int]
	for i, id := range ids {
		all = append(all, natspipe.NewMsg(id, i))
	}
	sink := must(natspipe.NewSink[int](soon(t), x.js, x.out))
	for _, duplicates := range []uint64{0, uint64(len(ids))} {
		must(sink.Stage().Collect(soon(t), pipeline.Values(slices.Clone(all)...)))
		if st := sink.Stats(); st.Stored != uint64(len(ids)) || st.Duplicates != duplicates {
			t.Errorf("%+v", st)
		}
		for i, id := range ids {
			all[i] = natspipe.NewMsg(id, i)
		}
	}
	once(t, x.js, x.out, len(ids))
}

// N5: a value that fails is tried again, and at last becomes a dead letter, as does one
// that is permanently bad, panics, or cannot be decoded; the run and the others go on.
func TestN5PoisonBecomesADeadLetter(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	x := newTrial(t, s.URL(), 1)
	x.fill(20)
	must(x.js.Publish(soon(t), x.in, []byte("no number")))
	var tries [5]atomic.Int64
	bad := natspipe.Map(func(_ context.Context, v int) (int, error) {
		if v < len(tries) {
			tries[v].Add(1)
		}
		switch v {
		case 0:
			return 0, errors.New("always\nbad")
		case 1:
			return 0, pipeline.Permanent(errors.New("hopeless"))
		case 2:
			panic("poison")
		case 3:
			runtime.Goexit()
		}
		return v, nil
	})
	w := x.work(s.URL(), "w", bad, []natspipe.Option{natspipe.WithBackoff(10 * time.Millisecond), natspipe.WithMaxDeliver(3)}, nil)
	until(t, "all is settled", func() bool { st := w.source.Stats(); return st.Acked == 16 && st.Dead == 5 })
	if err := w.end(t); err != nil {
		t.Errorf("the run: %v", err)
	}
	checkSum(t, w.source.Stats())
	x.nothingIsLeft("w")
	for v, want := range []int64{3, 1, 3, 3, 1} {
		if got := tries[v].Load(); got != want {
			t.Errorf("value %d was tried %d times, want %d", v, got, want)
		}
	}
	letters := must(must(x.js.CreateConsumer(soon(t), "natspipe-dead-w", jetstream.ConsumerConfig{})).Fetch(5))
	got := map[string]string{}
	for m := range letters.Messages() {
		got[string(m.Data())] = m.Headers().Get(natspipe.ErrorHeader)
	}
	for data, want := range map[string]string{"0": "always bad", "1": "hopeless", "2": "poison", "3": "Goexit", "no number": "invalid character"} {
		if !strings.Contains(got[data], want) {
			t.Errorf("letter %q has the error %q, want %q", data, got[data], want)
		}
	}
}

// N5: a message becomes a dead letter also if a message has no room for its error or for its
// headers and the error together.
func TestN5LargestMessageBecomesADeadLetter(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	x := newTrial(t, s.URL(), 1)
	most := int(x.js.Conn().MaxPayload())
	bad := natspipe.Map(func(_ context.Context, v int) (int, error) {
		return v, pipeline.Permanent(errors.New(strings.Repeat("long ", 1000)))
	})
	for _, free := range []int{0, 100, 5000} {
		must(x.js.Publish(soon(t), x.in, fmt.Appendf(nil, "%*d", most-free, free)))
	}
	must(x.js.PublishMsg(soon(t), &nats.Msg{Subject: x.in, Data: []byte("1"), Header: nats.Header{"Large": {strings.Repeat("y", 1<<16-100)}}}))
	w := x.work(s.URL(), "w", bad, []natspipe.Option{natspipe.WithBackoff(10 * time.Millisecond)}, nil)
	until(t, "all is settled", func() bool { return w.source.Stats().Dead == 4 })
	must0(w.end(t))
	x.nothingIsLeft("w")
	if n := messages(t, x.js, "natspipe-dead-w"); n != 4 {
		t.Errorf("%d dead letters", n)
	}
}

// N5: a value that has failed for good does not take another delivery from one that has not,
// whichever fails first.
func TestN5AnotherDeliveryBeforeADeadLetter(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	x := newTrial(t, s.URL(), 1)
	x.fill(2)
	twice := natspipe.FlatMap(func(_ context.Context, v int, emit func(int) error) error {
		return errors.Join(emit(v), emit(v+2))
	})
	var tries atomic.Int64
	bad := natspipe.Map(func(_ context.Context, v int) (int, error) {
		tries.Add(1)
		if v == 0 || v == 3 { // the first value of one message and the second of the other
			return v, pipeline.Permanent(errors.New("hopeless"))
		}
		return v, errors.New("not yet")
	})
	w := x.work(s.URL(), "w", pipeline.Then(twice, bad), []natspipe.Option{natspipe.WithBackoff(0), natspipe.WithMaxDeliver(3)}, nil)
	until(t, "both are dead letters", func() bool { return w.source.Stats().Dead == 2 })
	if got := tries.Load(); got != 12 {
		t.Errorf("%d calls, want one for each of 2 values in 3 deliveries of 2 messages", got)
	}
}

// N5: a message may be delivered as often as an int can say.
func TestN5DeliveriesWithoutEnd(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	x := newTrial(t, s.URL(), 1)
	x.fill(1)
	var tries atomic.Int64
	fails := natspipe.Map(func(_ context.Context, v int) (int, error) {
		if tries.Add(1) < 10 {
			return v, errors.New("not yet")
		}
		return v, nil
	})
	w := x.work(s.URL(), "w", fails, []natspipe.Option{natspipe.WithBackoff(0), natspipe.WithMaxDeliver(math.MaxInt)}, nil)
	until(t, "it is settled", func() bool { st := w.source.Stats(); return st.Acked+st.Dead == 1 })
	must0(w.end(t))
	if st := w.source.Stats(); st.Dead != 0 {
		t.Errorf("a dead letter after %d tries", tries.Load())
	}
}

// N6: a Source that is drained takes no more, ends what it has begun, hands back the rest
// at once, and the run returns nil.
func TestN6Drain(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	x := newTrial(t, s.URL(), 1)
	x.fill(200)
	begun, gate := make(chan int, 200), make(chan struct{})
	slow := natspipe.Map(func(_ context.Context, v int) (int, error) {
		begun <- v
		<-gate
		return v, nil
	})
	w := x.work(s.URL(), "w", slow, nil, nil)
	receive(t, begun, "one begins")
	until(t, "it holds some", func() bool { return w.source.Stats().Held > 150 })
	w.stop()
	defer func() { t.Logf("%+v", w.source.Stats()) }()
	until(t, "it hands back what it has not yielded", func() bool { return w.source.Stats().HandedBack > 100 })
	close(gate)
	if err := w.end(t); err != nil {
		t.Error(err)
	}
	st := w.source.Stats()
	checkSum(t, st)
	if st.Held != 0 || st.Acked == 0 || st.Acked != w.sink.Stats().Stored {
		t.Errorf("%+v", st)
	}
	v := x.work(s.URL(), "w", natspipe.Map(same), nil, nil)
	until(t, "another process does the rest", func() bool { return v.source.Stats().Acked+st.Acked == 200 })
	once(t, x.js, x.out, 200)
}

// N6: a Source is for one run.
func TestN6OneRun(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	x := newTrial(t, s.URL(), 1)
	in := must(natspipe.NewSource[int](soon(t), x.js, x.in, "w"))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		must(natspipe.Ack[int]().Collect(t.Context(), pipeline.Until(ended, in.All))) // it does not begin
	}
	quick, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	must(natspipe.Ack[int]().Collect(t.Context(), pipeline.Until(quick, in.All)))
	if _, err := natspipe.Ack[int]().Collect(t.Context(), in.All); !errors.Is(err, natspipe.ErrUsed) {
		t.Errorf("got %v", err)
	}
	must0(in.Close())
	must0(in.Close())
	if _, err := natspipe.Ack[int]().Collect(t.Context(), in.All); !errors.Is(err, natspipe.ErrClosed) {
		t.Errorf("after Close: got %v", err)
	}
}

// N6: a closed connection ends the run.
func TestN6ClosedConnection(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	x := newTrial(t, s.URL(), 1)
	in := must(natspipe.NewSource[int](soon(t), x.js, x.in, "w"))
	time.AfterFunc(100*time.Millisecond, x.js.Conn().Close)
	if _, err := natspipe.Ack[int]().Collect(soon(t), in.All); !errors.Is(err, natspipe.ErrClosed) {
		t.Errorf("got %v", err)
	}
	must0(in.Close())
}

// N7: a message is kept for as long as it takes, also one that waits.
func TestN7LongWorkIsNotDeliveredAgain(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	x := newTrial(t, s.URL(), 1)
	x.fill(8)
	gate := make(chan struct{})
	long := natspipe.Map(func(_ context.Context, v int) (int, error) {
		<-gate
		return v, nil
	})
	short := []natspipe.Option{natspipe.WithAckWait(time.Second)}
	a := x.work(s.URL(), "w", long, short, nil)
	until(t, "it holds all", func() bool { return a.source.Stats().Held == 8 })
	b := x.work(s.URL(), "w", natspipe.Map(same), short, nil)
	time.Sleep(3 * time.Second) // three times AckWait is under test
	close(gate)
	until(t, "all is stored", func() bool { return a.source.Stats().Acked == 8 })
	if st := b.source.Stats(); st.Delivered != 0 {
		t.Errorf("the other process: %+v", st)
	}
	once(t, x.js, x.out, 8)
}

// N8: a Source holds no more than its window, and goes on as messages are settled.
func TestN8Window(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	for _, window := range []int{1, 5, 64} {
		t.Run(fmt.Sprint(window), func(t *testing.T) {
			t.Parallel()
			x := newTrial(t, s.URL(), 1)
			x.fill(200)
			var w *worker
			var most atomic.Int64
			look := natspipe.Map(func(_ context.Context, v int) (int, error) {
				runtime.Gosched()
				return v, nil
			})
			js := connect(t, s.URL())
			w = &worker{}
			w.source = must(natspipe.NewSource[int](soon(t), js, x.in, "w", natspipe.WithWindow(window)))
			ctx, cancel := context.WithCancel(t.Context())
			l := testkit.NewLedger(200)
			n := 0
			for v, err := range pipeline.Then(look, natspipe.Ack[int]()).Run(ctx, w.source.All) {
				if err != nil {
					break
				}
				l.Note(v)
				most.Store(max(most.Load(), int64(w.source.Stats().Held)))
				if n++; n == 200 {
					cancel()
				}
			}
			cancel()
			must0(w.source.Close())
			l.ExactlyOnce(t)
			if most.Load() > int64(window) {
				t.Errorf("it held %d", most.Load())
			}
		})
	}
}

// checkSum fails the test if the counts of s do not add up.
func checkSum(t testing.TB, s natspipe.SourceStats) {
	t.Helper()
	if sum := uint64(s.Held) + s.Acked + s.Dropped + s.Failed + s.HandedBack + s.Dead + s.Spared; s.Delivered != sum {
		t.Errorf("delivered %d, the rest is %d: %+v", s.Delivered, sum, s)
	}
}

// nothingIsLeft waits until consumers have settled all messages.
func (x *trial) nothingIsLeft(names ...string) {
	x.t.Helper()
	for _, name := range names {
		until(x.t, "the consumer has settled everything", func() bool {
			c, err := x.js.Consumer(brief(x.t), x.in, name)
			return err == nil && c.CachedInfo().NumPending == 0 && c.CachedInfo().NumAckPending == 0
		})
	}
}
