package natspool_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/pool/natspool"
)

// letters returns all dead letters of p.
func letters[T, R any](t *testing.T, p *natspool.Pool[T, R]) (all []natspool.DeadLetter[T]) {
	t.Helper()
	for l, err := range p.DeadLetters(soon(t)) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

// A task that was stored by hand names a subject that is no inbox: its worker publishes nothing
// there, such as an order to JetStream to delete a stream, and its failure is told to the handler.
func TestResultsGoToInboxesOnly(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	if _, err := js.CreateStream(soon(t), jetstream.StreamConfig{Name: "victim", Subjects: []string{"victim.>"}}); err != nil {
		t.Fatal(err)
	}
	var told atomic.Int32
	p := newPool(t, js, name, 1, func(_ context.Context, fails bool) (struct{}, error) {
		if fails {
			return struct{}{}, natspool.Permanent(errors.New("no"))
		}
		return struct{}{}, nil
	}, natspool.WithErrorHandler(func(context.Context, error) { told.Add(1) }))
	for _, reply := range []string{"$JS.API.STREAM.DELETE.victim", "victim.a", "victim.r.1", "$JS.API.STREAM.DELETE.victim" + nats.NewInbox() + ".r.1"} {
		for _, task := range []string{"false", "true"} {
			m := &nats.Msg{Subject: "natspool.tasks." + name, Data: []byte(task), Header: nats.Header{"Tandem-Reply": {reply}}}
			if _, err := js.PublishMsg(soon(t), m); err != nil {
				t.Fatal(err)
			}
		}
	}
	until(t, "all tasks have ended", func() bool { return p.Stats().Completed == 4 && told.Load() == 4 })
	if _, err := p.Do(soon(t), false); err != nil { // behind all that was published before
		t.Error(err)
	}
	s, err := js.Stream(soon(t), "victim")
	if err != nil {
		t.Fatal(err)
	}
	if n := s.CachedInfo().State.LastSeq; n != 0 {
		t.Errorf("%d messages in another stream", n)
	}
}

// A task that fails is delivered again after growing delays and then becomes a dead
// letter with the task, the error and the attempts. After Requeue it has all its
// attempts again.
func TestBackoffAndDeadLetter(t *testing.T) {
	t.Parallel()
	backoff := []time.Duration{60 * time.Millisecond, 120 * time.Millisecond}
	var mu sync.Mutex
	var attempts []int
	var times []time.Time
	var well atomic.Bool
	var told atomic.Int32
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	p := newPool(t, js, name, 2, func(ctx context.Context, task string) (string, error) {
		n, _ := natspool.Attempt(ctx)
		mu.Lock()
		attempts, times = append(attempts, n), append(times, time.Now())
		mu.Unlock()
		if well.Load() {
			return "well", nil
		}
		return "", fmt.Errorf("no luck with %s, %d", task, n)
	}, natspool.WithBackoff(backoff...), natspool.WithMaxDeliver(4), natspool.WithMessageID(strings.ToUpper),
		natspool.WithErrorHandler(func(context.Context, error) { told.Add(1) }))
	_, err := p.Do(soon(t), "it")
	if e, ok := errors.AsType[*natspool.TaskError](err); !ok || e.Attempts != 4 || e.Error() != "no luck with it, 4" {
		t.Errorf("got %v, want the error of the fourth attempt", err)
	}
	if !slices.Equal(attempts, []int{1, 2, 3, 4}) {
		t.Errorf("attempts %v, want 1 … 4", attempts)
	}
	for i := 1; i < len(times); i++ {
		// The server's clock is this one, and rounds to nothing coarser than 10 ms.
		if d, want := times[i].Sub(times[i-1]), backoff[min(i, 2)-1]-10*time.Millisecond; d < want {
			t.Errorf("attempt %d came after %v, want at least %v", i+1, d, want)
		}
	}
	if told.Load() != 0 {
		t.Errorf("the error handler was told %d times of a task that somebody waits for", told.Load())
	}
	dead := letters(t, p)
	if len(dead) != 1 {
		t.Fatalf("%d dead letters, want 1", len(dead))
	}
	l := dead[0]
	if l.Task != "it" || string(l.Data) != `"it"` || l.Attempts != 4 || l.MessageID != "IT" ||
		l.Err.Error() != "no luck with it, 4" || l.Undecodable != nil || l.Time.IsZero() {
		t.Errorf("the dead letter is %+v", l)
	}
	if s := p.Stats(); s.Failed != 4 || s.Dead != 1 || s.Redelivered != 3 {
		t.Errorf("%+v", s)
	}
	well.Store(true)
	must0(p.Requeue(soon(t), l))
	must0(p.Requeue(soon(t), l)) // a second Requeue creates no second task
	until(t, "the requeued task runs", func() bool { return p.Stats().Completed == 1 })
	if dead := letters(t, p); len(dead) != 0 {
		t.Errorf("%d dead letters after the task was requeued", len(dead))
	}
	must0(p.Discard(soon(t), l.ID)) // not an error if it is gone
	if v, err := p.Do(soon(t), "other"); v != "well" || err != nil {
		t.Errorf("Do = %q, %v", v, err)
	}
	if n := attempts[4]; n != 1 || len(attempts) != 6 {
		t.Errorf("attempts %v, want the requeued task to begin anew, once", attempts)
	}
}

func TestPermanentErrorIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	js := connect(t, natsserver.Start(t).URL())
	p := newPool(t, js, newName(t), 1, func(context.Context, int) (int, error) {
		return 0, fmt.Errorf("wrapped: %w", natspool.Permanent(errors.New("hopeless")))
	})
	_, err := p.Do(soon(t), 1)
	if e, ok := errors.AsType[*natspool.TaskError](err); !ok || e.Attempts != 1 || e.Text != "wrapped: hopeless" {
		t.Errorf("got %v", err)
	}
	if dead := letters(t, p); len(dead) != 1 || dead[0].Task != 1 {
		t.Errorf("dead letters %+v", dead)
	}
}

// A message that is not a task becomes a dead letter at once, byte for byte, and costs
// no worker.
func TestUndecodableMessage(t *testing.T) {
	t.Parallel()
	told := make(chan error, 10)
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	p := newPool(t, js, name, 1, func(_ context.Context, n int) (int, error) { return n, nil },
		natspool.WithErrorHandler(func(_ context.Context, err error) { told <- err }))
	must(js.Publish(soon(t), "natspool.tasks."+name, []byte("{no task")))
	if err := receive(t, told, "the error handler is told"); !strings.Contains(err.Error(), "undecodable") {
		t.Errorf("told of %v", err)
	}
	if v, err := p.Do(soon(t), 5); v != 5 || err != nil {
		t.Errorf("Do = %d, %v", v, err)
	}
	dead := letters(t, p)
	if len(dead) != 1 || string(dead[0].Data) != "{no task" || dead[0].Undecodable == nil || dead[0].Attempts != 1 {
		t.Errorf("dead letters %+v", dead)
	}
	if s := p.Stats(); s.Undecodable != 1 || s.Dead != 1 || s.Failed != 1 {
		t.Errorf("%+v", s)
	}
}

// brittle panics where it should decode.
type brittle struct{}

func (brittle) Encode(n int) ([]byte, error) { return fmt.Append(nil, n), nil }

func (brittle) Decode(data []byte) (int, error) { panic("brittle " + string(data)) }

// A codec that panics is an error: of the task, of the result in each call of Wait, and of a dead
// letter, which can be listed all the same.
func TestPanicOfACodec(t *testing.T) {
	t.Parallel()
	js := connect(t, natsserver.Start(t).URL())
	fn := func(_ context.Context, n int) (int, error) { return n, nil }
	p := newPool(t, js, newName(t), 1, fn, natspool.WithResultCodec(brittle{}))
	f := must(p.Submit(soon(t), 5))
	for range 2 {
		if _, err := f.Wait(soon(t)); err == nil || !strings.Contains(err.Error(), "undecodable result") || !strings.Contains(err.Error(), "brittle 5") {
			t.Errorf("the result: %v", err)
		}
	}
	p = newPool(t, js, newName(t), 1, fn, natspool.WithTaskCodec(brittle{}), natspool.WithMaxDeliver(1))
	if _, err := p.Do(soon(t), 6); err == nil || !strings.Contains(err.Error(), "brittle 6") {
		t.Errorf("the task: %v", err)
	}
	if all := letters(t, p); len(all) != 1 || all[0].Undecodable == nil || string(all[0].Data) != "6" {
		t.Errorf("dead letters %+v", all)
	}
}

// While a dead letter cannot be stored, the task and its error are kept.
func TestDeadLetterCannotBeWritten(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	told := make(chan error, 10)
	p := newPool(t, js, name, 1, func(context.Context, int) (int, error) { return 0, errors.New("hopeless") },
		natspool.WithMaxDeliver(1), natspool.WithErrorHandler(func(_ context.Context, err error) { told <- err }))
	must0(js.DeleteStream(soon(t), "natspool-dead-"+name))
	_, err := p.Do(soon(t), 1)
	if e, ok := errors.AsType[*natspool.TaskError](err); !ok || e.Attempts != 1 || e.Text != "hopeless" {
		t.Errorf("got %v", err)
	}
	if err := receive(t, told, "the error handler is told"); !strings.Contains(err.Error(), "not become a dead letter yet") {
		t.Errorf("told of %v", err)
	}
	if dead := letters(t, p); len(dead) != 1 || dead[0].Err.Error() != "hopeless" {
		t.Errorf("dead letters %+v", dead)
	}
}

// An error of a task without a Future reaches the handler of the process that ran it,
// also after a Goexit or a panic.
func TestErrorsThatNoOneWaitsFor(t *testing.T) {
	t.Parallel()
	told := make(chan error, 10)
	js := connect(t, natsserver.Start(t).URL())
	p := newPool(t, js, newName(t), 1, func(_ context.Context, n int) (int, error) {
		switch n {
		case 0:
			return 0, errors.New("plain")
		case 1:
			panic("boom")
		}
		exit()
		return 0, nil
	}, natspool.WithMaxDeliver(1), natspool.WithErrorHandler(func(_ context.Context, err error) { told <- err }))
	for n, want := range []string{"plain", "panicked: boom", "Goexit"} {
		must0(p.Go(soon(t), n))
		if err := receive(t, told, "the error handler is told"); !strings.Contains(err.Error(), want) {
			t.Errorf("told of %v, want %q", err, want)
		}
	}
	p.Close()
	if len(told) > 0 {
		t.Errorf("told too often: %v", <-told)
	}
}

// A Goexit of the error handler costs no worker, and the task becomes a dead letter.
func TestGoexitOfTheErrorHandler(t *testing.T) {
	t.Parallel()
	js := connect(t, natsserver.Start(t).URL())
	p := newPool(t, js, newName(t), 1, func(_ context.Context, n int) (int, error) {
		if n < 0 {
			return 0, errors.New("it fails")
		}
		return n, nil
	}, natspool.WithMaxDeliver(1), natspool.WithErrorHandler(func(context.Context, error) { exit() }))
	must0(p.Go(soon(t), -1))
	if v, err := p.Do(soon(t), 7); v != 7 || err != nil {
		t.Errorf("got %d, %v", v, err)
	}
	until(t, "it is a dead letter", func() bool { return p.Stats().Dead == 1 })
}
