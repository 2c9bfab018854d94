package natspool_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/pool/natspool"
)

// A nilError panics in its method Error.
type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

func (e *nilError) Unwrap() error { return errors.New(e.text) }

type hugeValue [1 << 20]int

func nested(n int, what any) error {
	if n == 0 {
		panic(what)
	}
	return fmt.Errorf("%w", nested(n-1, what))
}

// A task of the maximum size that fails in any way becomes a dead letter, with the
// whole task and at least a part of the failure.
func TestLargestTaskFails(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	var how func() error
	p := newPool(t, js, name, 1, func(context.Context, string) (int, error) { return 0, how() },
		natspool.WithMaxDeliver(1), natspool.WithMessageID(func(string) string { return "" }))
	task := strings.Repeat("y", int(js.Conn().MaxPayload())-32<<10-2) // JSON adds quotes
	long := func(s string) string { return strings.Repeat(s, 5000) }
	want := 0
	for what, fail := range map[string]func() error{
		"plain":                   func() error { return errors.New(long("x")) },
		"escaped in HTML":         func() error { return errors.New(long("<")) },
		"escaped in JSON":         func() error { return errors.New(long("\x00")) },
		"line breaks":             func() error { return errors.New(long("\r\n\u2028")) },
		"no UTF-8":                func() error { return errors.New(long("\xff\xc3")) },
		"no text":                 func() error { return errors.New("") },
		"panic":                   func() error { panic(long("x")) },
		"panic with NUL":          func() error { panic(long("\x00")) },
		"panic with a huge value": func() error { panic(hugeValue{}) },
		"panic with a long text":  func() error { panic(strings.Repeat("\x01", 10<<20)) },
		"panic deep down":         func() error { return nested(200, long("<")) },
		"panic with an error":     func() error { panic(errors.New(long("\x00"))) },
		"nil pointer":             func() error { return (*nilError)(nil) },
		"panic with nil pointer":  func() error { panic((*nilError)(nil)) },
		"permanent nil pointer":   func() error { return natspool.Permanent((*nilError)(nil)) },
		"Goexit":                  func() error { exit(); return nil },
		"joined":                  func() error { return errors.Join(errors.New(long("\n")), errors.New(long("\x7f"))) },
	} {
		how = fail
		_, err := p.Do(soon(t), task)
		e, ok := errors.AsType[*natspool.TaskError](err)
		if !ok || e.Attempts != 1 || !utf8.ValidString(e.Text) || len(e.Text) > 5000 {
			t.Errorf("%s: Do: %T %.100v", what, err, err)
		}
		if _, ok := errors.AsType[*pool.PanicError](err); ok != strings.HasPrefix(what, "panic") {
			t.Errorf("%s: Do: %T %.100v", what, err, err)
		}
		want++
		all := letters(t, p)
		if len(all) != want {
			t.Fatalf("%s: %d dead letters, want %d", what, len(all), want)
		}
		if l := all[want-1]; l.Task != task || l.Err.Error() != e.Text || l.Undecodable != nil {
			t.Errorf("%s: the dead letter has %d bytes and %.100v", what, len(l.Task), l.Err)
		}
		must0(p.Discard(soon(t), all[0].ID)) // to keep the number of letters small
		want--
	}
}

// A dead letter that is too large for its stream is stored with less of the failure.
func TestDeadLetterIsTooLargeForItsStream(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	p := newPool(t, js, name, 1, func(context.Context, string) (int, error) { panic(strings.Repeat("x", 5000)) }, natspool.WithMaxDeliver(1))
	setDeadStream(t, js, name, func(c *jetstream.StreamConfig) { c.MaxMsgSize = 2000 })
	task := strings.Repeat("y", 1000)
	if _, err := p.Do(soon(t), task); err == nil {
		t.Error("Do: no error")
	}
	if l := letters(t, p)[0]; l.Task != task || len(l.Err.Error()) < 100 {
		t.Errorf("the dead letter has %d bytes and %v", len(l.Task), l.Err)
	}
}

func setDeadStream(t *testing.T, js jetstream.JetStream, name string, change func(*jetstream.StreamConfig)) {
	t.Helper()
	cfg := must(js.Stream(soon(t), "natspool-dead-"+name)).CachedInfo().Config
	change(&cfg)
	must(js.UpdateStream(soon(t), cfg))
}

// startWithoutRight starts a server whose user may not publish to the given subjects.
func startWithoutRight(t *testing.T, subjects ...string) jetstream.JetStream {
	return startOther(t, server.Options{
		Users: []*server.User{{Username: "u", Password: "p", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Deny: subjects},
		}}},
	})
}

// startOther starts a server with the given options.
func startOther(t *testing.T, o server.Options) jetstream.JetStream {
	t.Helper()
	o.Host, o.Port, o.JetStream, o.StoreDir, o.NoLog, o.NoSigs = "127.0.0.1", server.RANDOM_PORT, true, t.TempDir(), true, true
	s, err := server.NewServer(&o)
	must0(err)
	s.Start()
	if !s.ReadyForConnections(maxWait) {
		t.Fatal("the NATS server does not start")
	}
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	u := must(url.Parse(s.ClientURL()))
	u.User = url.UserPassword("u", "p")
	return connect(t, u.String())
}

// While dead letters cannot be stored, workers go on, the error handler is called, and
// no task is lost.
func TestDeadLettersCannotBeStored(t *testing.T) {
	full := func(t *testing.T) (js jetstream.JetStream, name string, end, mend func()) {
		js, name = connect(t, natsserver.Start(t).URL()), newName(t)
		end = func() {
			setDeadStream(t, js, name, func(c *jetstream.StreamConfig) { c.Discard, c.MaxMsgs = jetstream.DiscardNew, 1 })
			must(js.Publish(soon(t), "natspool.dead."+name, nil))
		}
		mend = func() { setDeadStream(t, js, name, func(c *jetstream.StreamConfig) { c.MaxMsgs = -1 }) }
		return js, name, end, mend
	}
	for what, open := range map[string]func(*testing.T) (js jetstream.JetStream, name string, end, mend func()){
		"full": full,
		"too large": func(t *testing.T) (js jetstream.JetStream, name string, end, mend func()) {
			js, name = connect(t, natsserver.Start(t).URL()), newName(t)
			limit := func(most int32) func() {
				return func() { setDeadStream(t, js, name, func(c *jetstream.StreamConfig) { c.MaxMsgSize = most }) }
			}
			return js, name, limit(10), limit(-1)
		},
		"denied": func(t *testing.T) (js jetstream.JetStream, name string, end, mend func()) {
			return startWithoutRight(t, "natspool.dead.>"), newName(t), func() {}, nil
		},
	} {
		t.Run(what, func(t *testing.T) {
			if what == "denied" && testing.Short() {
				t.Skip("it takes some seconds")
			}
			t.Parallel()
			js, name, end, mend := open(t)
			told := make(chan error, 1000)
			p, err := natspool.New(soon(t), js, name, 1, func(_ context.Context, n int) (int, error) {
				if n < 0 {
					return 0, fmt.Errorf("%d is too small", n)
				}
				return n, nil
			}, natspool.WithMaxDeliver(1), natspool.WithErrorHandler(func(_ context.Context, err error) { told <- err }), natspool.WithAckWait(never))
			must0(err)
			end()
			first := must(p.Submit(soon(t), -1))
			for n := range 2 {
				must0(p.Go(soon(t), -2-n))
			}
			if v, err := p.Do(soon(t), 7); v != 7 || err != nil {
				t.Errorf("Do behind tasks that fail: %d, %v", v, err)
			}
			if _, err := first.Wait(soon(t)); err == nil || err.Error() != "-1 is too small" {
				t.Errorf("Wait for the one that fails: %v", err)
			}
			until(t, "the error handler is told", func() bool {
				select {
				case err := <-told:
					return strings.Contains(err.Error(), "has not become a dead letter yet")
				default:
					return false
				}
			})
			if s := p.Stats(); s.Failed != 3 || s.Dead != 0 || s.Running != 0 || s.Completed != 1 {
				t.Errorf("%+v, want three failures and no dead letter", s)
			}
			checkSum(t, p.Stats())
			if n := must(js.Stream(soon(t), "natspool-tasks-"+name)).CachedInfo().State.Msgs; n != 3 {
				t.Errorf("%d tasks in the stream, want the 3 that have failed", n)
			}
			if mend != nil {
				mend()
				until(t, "a dead letter is stored", func() bool { return p.Stats().Dead == 1 })
				if all := letters(t, p); all[len(all)-1].Err.Error() != "-1 is too small" {
					t.Errorf("the dead letter has %v", all[len(all)-1].Err)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_ = p.Shutdown(ctx)
			must0(p.Close())
		})
	}
}

// A task whose dead letter a closing worker could not store runs again in another
// process.
func TestShutdownWhileADeadLetterCannotBeStored(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	fail := func(_ context.Context, n int) (int, error) { return n, errors.New("it fails") }
	told := make(chan error, 100)
	a := newPool(t, js, name, 1, fail, natspool.WithMaxDeliver(1), natspool.WithAckWait(never),
		natspool.WithErrorHandler(func(_ context.Context, err error) { told <- err }))
	setDeadStream(t, js, name, func(c *jetstream.StreamConfig) { c.MaxMsgSize = 10 })
	must0(a.Go(soon(t), 1))
	for !strings.Contains(receive(t, told, "the error handler is told").Error(), "yet") {
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Shutdown(ctx); err == nil || !strings.Contains(err.Error(), "1 tasks handed back") {
		t.Errorf("Shutdown: %v", err)
	}
	must0(a.Close())
	setDeadStream(t, js, name, func(c *jetstream.StreamConfig) { c.MaxMsgSize = -1 })
	b := newPool(t, js, name, 1, fail, natspool.WithMaxDeliver(1))
	until(t, "it is a dead letter", func() bool { return b.Stats().Dead == 1 })
	if all := letters(t, b); len(all) != 1 || all[0].Err.Error() != "it fails" {
		t.Errorf("dead letters %+v", all)
	}
}

// Without the permission to store and to read records of hand-backs, every delivery
// counts and no call blocks for ever.
func TestNotesOfHandBacksAreDenied(t *testing.T) {
	t.Parallel()
	js, name := startWithoutRight(t, "natspool.back.>"), newName(t)
	submitter := newPool[int, int](t, js, name, 0, nil)
	f := must(submitter.Submit(soon(t), 1))
	begun := make(chan struct{}, 1)
	a := newPool(t, js, name, 1, func(ctx context.Context, _ int) (int, error) {
		begun <- struct{}{}
		<-ctx.Done()
		return 0, ctx.Err()
	}, natspool.WithAckWait(never))
	receive(t, begun, "the task begins")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = a.Shutdown(ctx)
	newPool(t, js, name, 1, func(_ context.Context, n int) (int, error) { return n, nil })
	if v, err := f.Wait(soon(t)); v != 1 || err != nil {
		t.Errorf("got %d, %v", v, err)
	}
}

// A result that is too large is an error, whatever the task.
func TestResultIsTooLarge(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	p := newPool(t, js, name, 1, func(_ context.Context, n int) (string, error) { return strings.Repeat("<", n), nil })
	for _, n := range []int{1 << 20, 1<<20 - 1000, 1 << 18, 1 << 21} { // JSON makes six bytes of "<"
		_, err := p.Do(soon(t), n)
		if e, ok := errors.AsType[*natspool.TaskError](err); !ok || e.Attempts != 1 || !strings.Contains(e.Text, "the result must be at most") {
			t.Errorf("Do: %.200v", err)
		}
	}
	if v, err := p.Do(soon(t), 100<<10); len(v) != 100<<10 || err != nil {
		t.Errorf("Do: %d bytes, %v", len(v), err)
	}
	if n := len(letters(t, p)); n != 4 {
		t.Errorf("%d dead letters, want 4", n)
	}
}

// A server may have a small limit for the size of messages.
func TestSmallMessages(t *testing.T) {
	t.Parallel()
	js := startOther(t, server.Options{MaxPayload: 8 << 10})
	p := newPool(t, js, newName(t), 1, func(_ context.Context, n int) (string, error) {
		if n < 0 {
			return "", errors.New(strings.Repeat("\x00", 5000))
		}
		return strings.Repeat("y", n), nil
	}, natspool.WithMaxDeliver(1), natspool.WithMessageID(func(n int) string { return fmt.Sprintf("%d%03700d", n, 0) }))
	if v, err := p.Do(soon(t), 4000); len(v) != 4000 || err != nil {
		t.Errorf("Do: %d bytes, %v", len(v), err)
	}
	if _, err := p.Do(soon(t), 5000); err == nil || !strings.Contains(err.Error(), "the result must be at most") {
		t.Errorf("Do: %.200v", err)
	}
	if _, err := p.Do(soon(t), -1); err == nil || !strings.HasPrefix(err.Error(), "\x00\x00") {
		t.Errorf("Do: %.200v", err)
	}
	if all := letters(t, p); len(all) != 2 || len(all[1].MessageID) != 3702 || all[1].Task != -1 {
		t.Errorf("%d dead letters", len(all))
	}
}

// A message of another program, with a header that natspool never sets, becomes a dead
// letter too.
func TestForeignTask(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	p := newPool(t, js, name, 1, func(_ context.Context, n int) (int, error) { return n, errors.New(strings.Repeat("\x00", 5000)) },
		natspool.WithMaxDeliver(1))
	for _, header := range []nats.Header{
		{jetstream.MsgIDHeader: {strings.Repeat("x", 60<<10)}},
		{jetstream.MsgIDHeader: {"%=%zz"}},
		{"Other": {strings.Repeat("x", 60<<10)}},
		{"Tandem-Reply": {"no subject"}},
	} {
		must(js.PublishMsg(soon(t), &nats.Msg{Subject: "natspool.tasks." + name, Data: []byte("1"), Header: header}))
	}
	large := append([]byte("1"), []byte(strings.Repeat(" ", int(js.Conn().MaxPayload())-1000))...)
	must(js.Publish(soon(t), "natspool.tasks."+name, large))
	until(t, "all are dead", func() bool { return p.Stats().Dead == 5 })
}
