package debug_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/debug"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/ratelimit"
)

// What is worth a line gets one, with the context of the task.
func TestLogErrors(t *testing.T) {
	var buf bytes.Buffer
	type key struct{}
	l := slog.New(withValue{slog.NewTextHandler(&buf, nil), func(ctx context.Context) string { s, _ := ctx.Value(key{}).(string); return s }})
	started, release := make(chan struct{}), make(chan struct{})
	p := pool.New(1, func(_ context.Context, n int) (int, error) {
		switch n {
		case 0:
			panic("poison")
		case 1:
			return 0, errors.New("bounced")
		}
		close(started)
		<-release
		return 0, nil
	}, pool.WithErrorHandler(debug.LogErrors(l, "mail")))
	for n := range 4 {
		if err := p.Go(context.WithValue(t.Context(), key{}, "request-7"), n); err != nil {
			t.Fatal(err)
		}
	}
	<-started
	now, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Shutdown(now); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(release)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	lines := strings.Split(strings.TrimSpace(buf.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("lines:\n%s", buf.String())
	}
	for i, want := range [][]string{
		{"level=ERROR", `msg="a task panicked"`, "poison", "log_test.go:", "stack="},
		{"level=ERROR", `msg="a task failed"`, "bounced"},
		{"level=WARN", `msg="a task never started"`, "context canceled"},
	} {
		for _, w := range append(want, "pool=mail", "of=request-7") {
			if !strings.Contains(lines[i], w) {
				t.Errorf("line %d has no %s: %s", i+1, w, lines[i])
			}
		}
	}
}

// A withValue adds what a context has.
type withValue struct {
	slog.Handler
	value func(context.Context) string
}

func (h withValue) Handle(ctx context.Context, r slog.Record) error {
	r.AddAttrs(slog.String("of", h.value(ctx)))
	return h.Handler.Handle(ctx, r)
}

func TestLogLag(t *testing.T) {
	var buf bytes.Buffer
	b := broadcast.New[int](broadcast.WithCapacity(8), broadcast.WithLagHandler(debug.LogLag(slog.New(slog.NewTextHandler(&buf, nil)), "prices")))
	sub, err := b.Subscribe(broadcast.WithName("slow"))
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for n := range 16 {
		if err := b.Send(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	line(t, &buf, `msg="a subscription lags"`, "broadcast=prices", "subscription=slow", "backlog=")
}

// line checks that buf has one line, with all of these texts.
func line(t *testing.T, buf *bytes.Buffer, texts ...string) {
	t.Helper()
	for _, want := range append(texts, "level=WARN") {
		if !strings.Contains(buf.String(), want) || strings.Count(buf.String(), "\n") != 1 {
			t.Errorf("want one line with %s, got %q", want, buf.String())
		}
	}
	buf.Reset()
}

// A subscription that misses values or is cut off gets a line, and the walk has all pairs.
func TestLogGaps(t *testing.T) {
	var buf bytes.Buffer
	l := slog.New(slog.NewTextHandler(&buf, nil))
	walk := func(o broadcast.OverflowPolicy) (values int, errs []error) {
		b := broadcast.New[int](broadcast.WithCapacity(2))
		sub, err := b.Subscribe(broadcast.WithOverflow(o))
		if err != nil {
			t.Fatal(err)
		}
		for n := range 5 {
			if err := b.Send(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		for _, err := range debug.LogGaps(l, "slow", sub.All(t.Context())) {
			if err != nil {
				errs = append(errs, err)
			} else {
				values++
			}
		}
		return values, errs
	}
	if n, errs := walk(broadcast.SkipOldest); n != 2 || len(errs) != 1 {
		t.Errorf("%d values and %v", n, errs)
	}
	line(t, &buf, `msg="a subscription has missed values"`, "subscription=slow", "missed=3")
	if n, errs := walk(broadcast.Disconnect); n != 0 || len(errs) != 1 || !errors.Is(errs[0], broadcast.ErrSlow) {
		t.Errorf("%d values and %v", n, errs)
	}
	line(t, &buf, `msg="a subscription was cut off"`, "subscription=slow", "too slow")
	for range debug.LogGaps(l, "slow", func(yield func(int, error) bool) { _ = yield(1, nil) && yield(2, context.Canceled) }) {
		break
	}
	if buf.Len() > 0 {
		t.Error(buf.String())
	}
}

// The first denial of a limiter gets a line, the others none.
func TestLogDenial(t *testing.T) {
	var buf bytes.Buffer
	k := debug.LogDenial(slog.New(slog.NewTextHandler(&buf, nil)), "users", ratelimit.NewKeyed[string](ratelimit.Every(time.Hour), 1))
	take := func(key string, want bool) {
		t.Helper()
		if d, err := k.Take(t.Context(), key, 1); err != nil || d.OK != want {
			t.Errorf("%s: %+v, %v", key, d, err)
		}
	}
	take("ann", true)
	if buf.Len() > 0 {
		t.Error(buf.String())
	}
	take("ann", false)
	take("ann", false)
	take("bob", true)
	take("bob", false)
	line(t, &buf, `msg="a limiter has denied its first call"`, "limiter=users", `"retry after"=`)
}

// A shutdown that comes to its deadline gets a line, one in time none.
func TestLogShutdown(t *testing.T) {
	var buf bytes.Buffer
	l := slog.New(slog.NewTextHandler(&buf, nil))
	p := pool.New(1, func(ctx context.Context, _ int) (int, error) { <-ctx.Done(); return 0, nil })
	for n := range 3 {
		if err := p.Go(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	now, cancel := context.WithCancel(t.Context())
	cancel()
	if err := debug.LogShutdown(now, l, "mail", p); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	line(t, &buf, `msg="a shutdown had to cancel"`, "of=mail", "cancelled in the queue")
	fails := pool.New(1, func(context.Context, int) (int, error) { return 0, errors.New("bounced") })
	if err := fails.Go(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := debug.LogShutdown(t.Context(), l, "mail", fails); err == nil || buf.Len() > 0 {
		t.Error(err, buf.String())
	}
	_ = p.Close() // the tasks that never started
}
