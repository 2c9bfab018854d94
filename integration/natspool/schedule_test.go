package natspool_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/pool/natspool"
)

// A run is a task that has begun.
type run struct {
	task string
	at   time.Time
}

// recorder returns a function of a pool that records its runs.
func recorder() (pool.Func[string, int], <-chan run) {
	runs := make(chan run, 1000)
	return func(_ context.Context, task string) (int, error) {
		runs <- run{task, time.Now()}
		return 0, nil
	}, runs
}

func schedules(t testing.TB, p *natspool.Pool[string, int]) (list []string) {
	t.Helper()
	for s, err := range p.Schedules(soon(t)) {
		if err != nil || s.Undecodable != nil {
			t.Fatal(err, s.Undecodable)
		}
		list = append(list, fmt.Sprintf("%s: %s at %s", s.Name, s.Task, s.When))
	}
	return list
}

func pending(t testing.TB, p *natspool.Pool[string, int]) (list []string) {
	t.Helper()
	for s, err := range p.Pending(soon(t)) {
		if err != nil || s.Undecodable != nil {
			t.Fatal(err, s.Undecodable)
		}
		list = append(list, s.Task)
	}
	return list
}

func equal[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s, -want +got:\n%s", what, diff)
	}
}

// A task runs once, not before its time, in a process that has not scheduled it. Its
// schedule is gone then.
func TestDelayedTask(t *testing.T) {
	t.Parallel()
	s, name := natsserver.Start(t), newName(t)
	fn, runs := recorder()
	submitter := newPool[string, int](t, connect(t, s.URL()), name, 0, nil)
	at := time.Now().Add(1500 * time.Millisecond)
	must0(submitter.Schedule(soon(t), "a name: with, *.> and ü", natspool.At(at), "later"))
	equal(t, "schedules", schedules(t, submitter), []string{"a name: with, *.> and ü: later at @at " + at.UTC().Format(time.RFC3339Nano)})
	w := newPool(t, connect(t, s.URL()), name, 2, fn)
	must0(submitter.Go(soon(t), "now"))
	if r := receive(t, runs, "the task without a delay"); r.task != "now" {
		t.Errorf("%v", r)
	}
	if r := receive(t, runs, "the delayed task"); r.task != "later" || r.at.Before(at) {
		t.Errorf("%v, %v too early", r, at.Sub(r.at))
	}
	until(t, "it is done", func() bool { return w.Stats().Completed == 2 && len(pending(t, submitter)) == 0 })
	equal(t, "schedules", schedules(t, submitter), nil)
	must0(submitter.Schedule(soon(t), "past", natspool.At(time.Unix(1, 0)), "past"))
	if r := receive(t, runs, "the task whose time has passed"); r.task != "past" {
		t.Errorf("%v", r)
	}
	if n := len(runs); n > 0 {
		t.Errorf("%d more runs", n)
	}
}

// A periodic task runs again and again, until it is unscheduled.
func TestPeriodicTasks(t *testing.T) {
	t.Parallel()
	fn, runs := recorder()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	p := newPool(t, js, name, 1, fn)
	begin := time.Now()
	must0(p.Schedule(soon(t), "e", natspool.Every(time.Second), "every"))
	must0(p.Schedule(soon(t), "c", natspool.Cron("*/2 * * * * *", nil), "cron"))
	must0(p.Schedule(soon(t), "z", natspool.Cron("0 3 1 1 *", must(time.LoadLocation("Europe/Berlin"))), "new year"))
	equal(t, "schedules", schedules(t, p), []string{
		"e: every at @every 1s", "c: cron at */2 * * * * *", "z: new year at 0 0 3 1 1 * Europe/Berlin",
	})
	count := map[string]int{}
	for count["every"] < 3 || count["cron"] < 2 {
		count[receive(t, runs, "the periodic tasks").task]++
	}
	if took := time.Since(begin); count["every"] > int(took/time.Second)+1 || count["cron"] > int(took/time.Second)/2+1 {
		t.Errorf("%v in %v", count, took)
	}
	must0(p.Unschedule(soon(t), "e"))
	must0(p.Unschedule(soon(t), "c"))
	must0(p.Unschedule(soon(t), "c")) // without effect
	equal(t, "schedules", schedules(t, p), []string{"z: new year at 0 0 3 1 1 * Europe/Berlin"})
	plan := must(js.Stream(soon(t), "natspool-plan-"+name))
	until(t, "what was due is done", func() bool {
		return must(plan.Info(soon(t))).State.Msgs == 1 && len(pending(t, p)) == 0
	})
	for len(runs) > 0 {
		<-runs
	}
	must0(p.Schedule(soon(t), "end", natspool.At(time.Now().Add(2500*time.Millisecond)), "end"))
	if r := receive(t, runs, "the last task"); r.task != "end" {
		t.Errorf("after Unschedule: %v", r)
	}
}

// A schedule replaces the one with its name, and one that is equal stays.
func TestScheduleAgain(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	p := newPool[string, int](t, js, name, 0, nil)
	last := func() uint64 { return must(js.Stream(soon(t), "natspool-plan-"+name)).CachedInfo().State.LastSeq }
	daily := natspool.Cron("@daily", nil)
	must0(p.Schedule(soon(t), "a", daily, "one"))
	must0(p.Schedule(soon(t), "b", daily, "two"))
	first := last()
	must0(p.Schedule(soon(t), "a", daily, "one"))
	if last() != first {
		t.Error("an equal schedule was stored again")
	}
	must0(p.Schedule(soon(t), "a", daily, "three"))
	equal(t, "schedules", schedules(t, p), []string{"b: two at @daily", "a: three at @daily"})
	must0(p.Schedule(soon(t), "a", natspool.Cron("@daily", time.UTC), "three"))
	equal(t, "schedules", schedules(t, p), []string{"b: two at @daily", "a: three at @daily UTC"})
}

// A schedule survives a server that is down when its task is due, and a task that is due
// waits for a process with workers.
func TestScheduleSurvivesARestart(t *testing.T) {
	t.Parallel()
	s, name := natsserver.Start(t), newName(t)
	submitter := newPool[string, int](t, connect(t, s.URL()), name, 0, nil)
	at := time.Now().Add(time.Second)
	must0(submitter.Schedule(soon(t), "x", natspool.At(at), "late"))
	s.Stop()
	until(t, "the task is due", func() bool { return time.Now().After(at) })
	s.Start()
	until(t, "the server has noticed", func() bool {
		for _, err := range submitter.Schedules(soon(t)) {
			return err != nil
		}
		return true
	})
	fn, runs := recorder()
	w := newPool(t, connect(t, s.URL()), name, 1, fn)
	if r := receive(t, runs, "the task"); r.task != "late" {
		t.Errorf("%v", r)
	}
	until(t, "it is done", func() bool { return w.Stats().Completed == 1 && len(pending(t, w)) == 0 })
	if len(runs) > 0 {
		t.Error("it ran twice")
	}
}

// A task that is due is stored once, if its process crashes before the server knows it.
func TestDueTaskIsStoredOnce(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	submitter := newPool[string, int](t, js, name, 0, nil)
	due := must(js.Conn().QueueSubscribeSync("natspool.move."+name, "workers"))
	must0(submitter.Schedule(soon(t), "x", natspool.At(time.Now()), "once"))
	plan := must(js.Stream(soon(t), "natspool-plan-"+name))
	cfg := must(plan.PushConsumer(soon(t), "workers")).CachedInfo().Config
	cfg.AckWait = 300 * time.Millisecond
	must(plan.UpdatePushConsumer(soon(t), cfg))
	m := must(due.NextMsg(maxWait))
	meta := must(m.Metadata())
	id := fmt.Sprintf("%%due-%d-%d", meta.Sequence.Stream, meta.Timestamp.UnixNano())
	must(js.PublishMsg(soon(t), &nats.Msg{Subject: "natspool.tasks." + name, Data: m.Data, Header: nats.Header{"Nats-Msg-Id": {id}}}))
	must0(due.Unsubscribe()) // the crash
	fn, runs := recorder()
	w := newPool(t, js, name, 1, fn)
	receive(t, runs, "the task")
	until(t, "the server knows that it is stored", func() bool {
		return must(plan.Info(soon(t))).State.Msgs == 0 && w.Stats().Completed == 1
	})
	if n := must(must(js.Stream(soon(t), "natspool-tasks-"+name)).Info(soon(t))).State.LastSeq; n != 1 || len(runs) > 0 {
		t.Errorf("stored %d times", n)
	}
}

// A task that is due waits until a full stream has room.
func TestDueTaskAndAFullStream(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	gate := make(chan struct{})
	runs := make(chan string, 10)
	errs := make(chan error, 1000)
	p := newPool(t, js, name, 1, func(ctx context.Context, task string) (int, error) {
		runs <- task
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return 0, nil
	}, natspool.WithErrorHandler(func(_ context.Context, err error) { errs <- err }))
	cfg := must(js.Stream(soon(t), "natspool-tasks-"+name)).CachedInfo().Config
	cfg.MaxMsgs = 1
	must(js.UpdateStream(soon(t), cfg))
	must0(p.Go(soon(t), "first"))
	receive(t, runs, "the first task")
	must0(p.Schedule(soon(t), "x", natspool.At(time.Now()), "second"))
	if err := receive(t, errs, "an error"); !strings.Contains(err.Error(), "maximum messages exceeded") {
		t.Errorf("%v", err)
	}
	close(gate)
	if task := receive(t, runs, "the second task"); task != "second" {
		t.Errorf("%v", task)
	}
}

// C5: what is wrong is an error or a panic at the call, and nothing is stored.
func TestWrongSchedules(t *testing.T) {
	t.Parallel()
	p := newPool[string, int](t, connect(t, natsserver.Start(t).URL()), newName(t), 0, nil)
	cause := errors.New("enough")
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	for what, when := range map[string]natspool.When{
		"too few fields": natspool.Cron("1 2 3", nil),
		"a wrong field":  natspool.Cron("0 25 * * *", nil),
		"a wrong zone":   natspool.Cron("0 1 * * *", time.FixedZone("Nowhere", 60)),
	} {
		if err := p.Schedule(soon(t), "x", when, "x"); err == nil || !strings.Contains(err.Error(), "natspool: the task is not stored") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := p.Schedule(ended, "x", natspool.At(time.Now()), "x"); err != cause {
		t.Errorf("under an ended context: %v", err)
	}
	for _, err := range p.Schedules(ended) {
		if err != cause {
			t.Errorf("Schedules under an ended context: %v", err)
		}
	}
	if err := p.Schedule(soon(t), "x", natspool.At(time.Now()), strings.Repeat("x", 2<<20)); err == nil || !strings.Contains(err.Error(), "must be at most") {
		t.Errorf("a large task: %v", err)
	}
	equal(t, "schedules", schedules(t, p), nil)
	p.Close()
	if err := p.Schedule(soon(t), "x", natspool.At(time.Now()), "x"); err != natspool.ErrClosed {
		t.Errorf("closed: %v", err)
	}
	if err := p.Unschedule(soon(t), "x"); err != nil {
		t.Errorf("Unschedule of a closed pool: %v", err)
	}
}

// A canceled task does not run, and its Future says so, in another process too.
func TestCancel(t *testing.T) {
	t.Parallel()
	s, name := natsserver.Start(t), newName(t)
	a := newPool[string, int](t, connect(t, s.URL()), name, 0, nil)
	b := newPool[string, int](t, connect(t, s.URL()), name, 0, nil)
	var fs []*natspool.Future[int]
	for _, task := range []string{"one", "two", "three", "four"} {
		fs = append(fs, must(a.Submit(soon(t), task)))
	}
	equal(t, "pending", pending(t, b), []string{"one", "two", "three", "four"})
	must0(a.Cancel(soon(t), fs[0].ID()))
	for task, err := range b.Pending(soon(t)) {
		if must0(err); task.Task == "three" {
			must0(b.Cancel(soon(t), task.ID))
			must0(b.Cancel(soon(t), task.ID)) // without effect
		}
	}
	for _, f := range []*natspool.Future[int]{fs[0], fs[2]} {
		_, err := f.Wait(soon(t))
		if e, ok := errors.AsType[*natspool.TaskError](err); !ok || !errors.Is(e, context.Canceled) {
			t.Errorf("a canceled task: %v", err)
		}
	}
	fn, runs := recorder()
	newPool(t, connect(t, s.URL()), name, 1, fn)
	must(fs[1].Wait(soon(t)))
	must(fs[3].Wait(soon(t)))
	got := []string{(<-runs).task, (<-runs).task}
	equal(t, "tasks that ran", got, []string{"two", "four"})
	// A worker acknowledges a task after it has sent the result.
	until(t, "no task is pending", func() bool { return len(pending(t, a)) == 0 })
}

// A canceled task that runs goes on, and is not tried again.
func TestCancelARunningTask(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	begun, gate := make(chan struct{}, 10), make(chan struct{})
	p := newPool(t, js, name, 1, func(_ context.Context, n int) (int, error) {
		begun <- struct{}{}
		<-gate
		return 0, errors.New("no")
	}, natspool.WithBackoff(0))
	f := must(p.Submit(soon(t), 1))
	receive(t, begun, "that the task begins")
	must0(p.Cancel(soon(t), f.ID()))
	if _, err := f.Wait(soon(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(gate)
	until(t, "it ends", func() bool { return p.Stats().Failed == 1 })
	if _, err := p.Do(soon(t), 2); err == nil {
		t.Error("the second task has not failed")
	}
	if n := p.Stats().Delivered; n != 6 { // the second task 5 times
		t.Errorf("%d deliveries, want 6", n)
	}
}

// C5: misuse panics at the call that is wrong.
func TestC5ScheduleMisusePanics(t *testing.T) {
	t.Parallel()
	p := newPool[string, int](t, connect(t, natsserver.Start(t).URL()), newName(t), 0, nil)
	var none context.Context
	daily, ctx := natspool.Cron("@daily", nil), t.Context()
	testkit.Panics(t, map[string]func(){
		"natspool: Schedule: context must not be nil":                 func() { _ = p.Schedule(none, "x", daily, "") },
		"natspool: Schedule: time must be made by At, Every or Cron":  func() { _ = p.Schedule(ctx, "x", natspool.When{}, "") },
		`natspool: Schedule: name must have 1 to 128 bytes, got ""`:   func() { _ = p.Schedule(ctx, "", daily, "") },
		"natspool: Unschedule: context must not be nil":               func() { _ = p.Unschedule(none, "x") },
		`natspool: Unschedule: name must have 1 to 128 bytes, got ""`: func() { _ = p.Unschedule(ctx, "") },
		"natspool: Schedules: context must not be nil":                func() { p.Schedules(none) },
		"natspool: Pending: context must not be nil":                  func() { p.Pending(none) },
		"natspool: Cancel: context must not be nil":                   func() { _ = p.Cancel(none, 1) },
	})
}
