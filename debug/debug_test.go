package debug_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/debug"
	"github.com/tandemgo/tandem/inflight"
	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/ratelimit"
)

// A counted counts how often it is looked at.
type counted struct {
	looks atomic.Int64
	_     *int // so that it has an allocation of its own
}

func (c *counted) Stats() pool.Stats { return pool.Stats{Completed: uint64(c.looks.Add(1))} }

type poisoned struct{}

func (poisoned) Stats() pool.Stats { panic("poison") }

func get(h http.Handler, query string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/debug/tandem"+query, nil))
	return w
}

// figures are the JSON as a script would read it.
type figures struct {
	Time  time.Time
	Pools []struct {
		Name  string
		Stats struct {
			Completed int
			RunTime   struct{ Count int }
		}
	}
	Pipelines []struct {
		Name   string
		Stages pipeline.Stats
		Edges  []pipeline.Edge
	}
	Inflight []struct {
		Name  string
		Stats inflight.Stats
	}
	Limiters []struct {
		Name, Limit string
		Stats       ratelimit.Stats
	}
	Keyed []struct {
		Name  string
		Stats ratelimit.KeyedStats
	}
	Broadcasts []struct {
		Name  string
		Stats broadcast.Stats
	}
	Errors []struct{ Name, Error string }
}

func parse(t *testing.T, text []byte) (got figures) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&got); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return got
}

// C13: the JSON has the figures of all, as their Stats return them.
func TestC13JSONHasTheBooks(t *testing.T) {
	var h debug.Handler
	p := pool.New(2, func(_ context.Context, n int) (int, error) { return n, nil })
	defer p.Close()
	if _, err := p.Do(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	var o pipeline.Observer
	double := pipeline.Map(func(_ context.Context, n int) (int, error) { return 2 * n, nil }, pipeline.WithName("double"))
	if _, err := pipeline.Then(double, pipeline.Take[int](2)).Observe(&o).Collect(t.Context(), pipeline.Values(1, 2, 3)); err != nil {
		t.Fatal(err)
	}
	calls := inflight.New(3)
	if _, ok := calls.TryAcquire(2); !ok {
		t.Fatal("nothing is free")
	}
	l := ratelimit.New(ratelimit.Every(time.Hour), 3)
	k := ratelimit.NewKeyed[string](ratelimit.Every(time.Hour), 1)
	l.Allow()
	k.Allow("a")
	k.Allow("a")
	b := broadcast.New[int](broadcast.WithCapacity(8), broadcast.Traced())
	sub, err := b.Subscribe(broadcast.WithName("reader"))
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for n := range 10 {
		if err := b.Send(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	debug.Add(&h, "jobs", p)
	debug.Add(&h, "chain", &o)
	debug.Add(&h, "calls", calls)
	debug.Add(&h, "one", l)
	debug.Add(&h, "many", k)
	debug.Add(&h, "news", b)
	w := get(&h, "?format=json")
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q", got)
	}
	got := parse(t, w.Body.Bytes())
	if time.Since(got.Time) > time.Minute || len(got.Errors) != 0 {
		t.Errorf("time %v, errors %v", got.Time, got.Errors)
	}
	if x := got.Pools; len(x) != 1 || x[0].Name != "jobs" || x[0].Stats.Completed != 1 || x[0].Stats.RunTime.Count != 1 {
		t.Errorf("pools: %+v", x)
	}
	if x := got.Pipelines; len(x) != 1 || x[0].Name != "chain" || cmp.Diff(o.Stats(), x[0].Stages) != "" || cmp.Diff(o.Edges(), x[0].Edges) != "" || x[0].Stages.Stage("double").In == 0 {
		t.Errorf("pipelines: %+v", x)
	}
	if x := got.Inflight; len(x) != 1 || x[0].Name != "calls" || x[0].Stats != calls.Stats() || x[0].Stats.InFlight != 2 {
		t.Errorf("in flight: %+v", x)
	}
	if x := got.Limiters; len(x) != 1 || x[0].Name != "one" || x[0].Limit != l.String() || x[0].Stats.Owed != 1 {
		t.Errorf("limiters: %+v", x)
	}
	if x := got.Keyed; len(x) != 1 || x[0].Name != "many" || x[0].Stats != k.Stats() || x[0].Stats.Denied != 1 {
		t.Errorf("keyed limiters: %+v", x)
	}
	if x := got.Broadcasts; len(x) != 1 || x[0].Name != "news" || cmp.Diff(b.Stats(), x[0].Stats) != "" || len(x[0].Stats.Subscriptions) != 1 || x[0].Stats.Subscriptions[0].Caller == "" {
		t.Errorf("broadcasts: %+v", x)
	}
}

// A script may walk over every list, also if nothing has been added.
func TestNoListIsNull(t *testing.T) {
	var h debug.Handler
	debug.Add(&h, "chain", new(pipeline.Observer))
	debug.Add(&h, "news", broadcast.New[int]())
	if text := get(&h, "?format=json").Body.String(); strings.Contains(text, "null") {
		t.Error(text)
	}
	if text := get(new(debug.Handler), "?format=json").Body.String(); strings.Contains(text, "null") {
		t.Error(text)
	}
}

// C1, C7: nothing is sampled and no goroutine runs while no page is open, and open pages share the
// samples.
func TestC1NothingRunsWhileNoPageIsOpen(t *testing.T) {
	h := &debug.Handler{Interval: time.Minute} // made outside of the bubble
	var c counted
	debug.Add(h, "c", &c)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour)
		if n := c.looks.Load(); n != 0 {
			t.Fatalf("%d looks while no page is open", n)
		}
		sampling := func() int {
			stacks := make([]byte, 1<<20)
			return bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("debug.(*Handler).samples("))
		}
		var viewers sync.WaitGroup
		open := func() (texts *lines, leave func()) {
			ctx, cancel := context.WithCancel(t.Context())
			w := &lines{}
			viewers.Go(func() {
				h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/?format=events", nil))
			})
			return w, cancel
		}
		first, leaveFirst := open()
		time.Sleep(90 * time.Second)
		second, leaveSecond := open()
		synctest.Wait()
		if got := first.data(); len(got) != 2 { // at once, and after a minute
			t.Errorf("%d samples, want 2", len(got))
		}
		if got := second.data(); len(got) != 1 { // the last one
			t.Errorf("a page that comes later has %d samples, want 1", len(got))
		}
		if n := sampling(); n != 1 {
			t.Errorf("%d goroutines sample, want 1", n)
		}
		leaveFirst()
		time.Sleep(time.Minute)
		if got := second.data(); len(got) != 2 {
			t.Errorf("the page that stays has %d samples, want 2", len(got))
		}
		leaveSecond()
		viewers.Wait()
		if n := sampling(); n != 0 {
			t.Errorf("%d goroutines sample when no page is open", n)
		}
		looks := c.looks.Load()
		time.Sleep(time.Hour)
		if n := c.looks.Load(); n != looks || n != 3 {
			t.Errorf("%d looks, then %d, want 3", looks, n)
		}
		// It begins again with the next page.
		third, leaveThird := open()
		synctest.Wait()
		leaveThird()
		viewers.Wait()
		if got := third.data(); len(got) != 1 || parse(t, got[0]).Pools[0].Stats.Completed != 4 {
			t.Errorf("the next page got %s", got)
		}
	})
}

// A lines is a response that keeps what is written.
type lines struct {
	mu     sync.Mutex
	header http.Header
	buf    bytes.Buffer
}

func (l *lines) Header() http.Header {
	if l.header == nil {
		l.header = http.Header{}
	}
	return l.header
}
func (l *lines) WriteHeader(int)                  {}
func (l *lines) Flush()                           {}
func (l *lines) SetWriteDeadline(time.Time) error { return nil }
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) data() (all [][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range bytes.Lines(l.buf.Bytes()) {
		if text, ok := bytes.CutPrefix(line, []byte("data: {\"Time")); ok {
			all = append(all, append([]byte(`{"Time`), text...))
		}
	}
	return all
}

// C6: Close ends the streams of open pages, so that a server can shut down, and may be called from
// anywhere and again. Page and JSON are still served.
func TestC6CloseEndsStreams(t *testing.T) {
	var h debug.Handler
	server := httptest.NewUnstartedServer(&h)
	server.Config.RegisterOnShutdown(func() { _ = h.Close() })
	server.Start()
	defer server.Close()
	res, err := server.Client().Get(server.URL + "/?format=events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body := bufio.NewReader(res.Body)
	for text := ""; !strings.HasPrefix(text, "data:"); {
		if text, err = body.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Config.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(body)
	if err != nil || !strings.Contains(string(rest), "event: end") {
		t.Errorf("the stream ends with %q, %v", rest, err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for query, want := range map[string]int{"": 200, "?format=json": 200, "?format=events": 204} {
		if got := get(&h, query).Code; got != want {
			t.Errorf("%q after Close: %d, want %d", query, got, want)
		}
	}
}

// C4: a Stats that panics is named, and the others are shown.
func TestC4StatsThatPanics(t *testing.T) {
	var h debug.Handler
	debug.Add(&h, "bad", poisoned{})
	debug.Add(&h, "good", &counted{})
	got := parse(t, get(&h, "?format=json").Body.Bytes())
	if len(got.Pools) != 1 || got.Pools[0].Name != "good" {
		t.Errorf("pools: %+v", got.Pools)
	}
	if len(got.Errors) != 1 || got.Errors[0].Name != "bad" || !strings.Contains(got.Errors[0].Error, "poison") {
		t.Errorf("errors: %+v", got.Errors)
	}
}

// C5: programmer errors panic, requests that are wrong are answered.
func TestC5Misuse(t *testing.T) {
	var h debug.Handler
	id := func(_ context.Context, n int) (int, error) { return n, nil }
	testkit.Panics(t, map[string]func(){
		"debug: Region: name must not be empty":                             func() { debug.Region("", id) },
		"debug: Region: function must not be nil":                           func() { debug.Region[int, int]("x", nil) },
		"debug: LogErrors: logger must not be nil":                          func() { debug.LogErrors(nil, "x") },
		"debug: LogLag: logger must not be nil":                             func() { debug.LogLag(nil, "x") },
		"debug: LogGaps: logger must not be nil":                            func() { debug.LogGaps[int](nil, "x", nil) },
		"debug: LogGaps: walk must not be nil":                              func() { debug.LogGaps[int](slog.Default(), "x", nil) },
		"debug: LogDenial: logger must not be nil":                          func() { debug.LogDenial[int](nil, "x", nil) },
		"debug: LogDenial: limiter must not be nil":                         func() { debug.LogDenial[int](slog.Default(), "x", nil) },
		"debug: LogShutdown: logger must not be nil":                        func() { _ = debug.LogShutdown(t.Context(), nil, "x", nil) },
		"debug: LogShutdown: x must not be nil":                             func() { _ = debug.LogShutdown(t.Context(), slog.Default(), "x", nil) },
		"debug: Add: handler must not be nil":                               func() { debug.Add(nil, "x", &counted{}) },
		"debug: Add: name must not be empty":                                func() { debug.Add(&h, "", &counted{}) },
		"debug: Add: x must not be nil":                                     func() { debug.Add(&h, "x", (*counted)(nil)) },
		"debug: Add: y must not be nil":                                     func() { debug.Add[pool.Stats](&h, "y", nil) },
		"debug: Handler.ServeHTTP: Interval must not be negative, got -1ns": func() { get(&debug.Handler{Interval: -1}, "") },
	})
	if got := get(&h, "?format=xml"); got.Code != http.StatusBadRequest || !strings.Contains(got.Body.String(), `"xml"`) {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/?format=json", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d %v", w.Code, w.Header())
	}
}

// C8: what is replaced or removed is not kept.
func TestC8RemovedIsGarbage(t *testing.T) {
	var h debug.Handler
	var left atomic.Int64
	add := func(name string) {
		c := &counted{}
		left.Add(1)
		runtime.AddCleanup(c, func(int) { left.Add(-1) }, 0)
		debug.Add(&h, name, c)
	}
	add("a")
	add("a") // in its place
	add("b")
	debug.Add(&h, "b", ratelimit.New(ratelimit.Unlimited, 1)) // another kind
	if got := parse(t, get(&h, "?format=json").Body.Bytes()); len(got.Pools) != 2 || len(got.Limiters) != 1 {
		t.Errorf("%+v", got)
	}
	h.Remove("a")
	h.Remove("b")
	h.Remove("c")
	if got := parse(t, get(&h, "?format=json").Body.Bytes()); len(got.Pools)+len(got.Limiters)+len(got.Errors) != 0 {
		t.Errorf("%+v", got)
	}
	for deadline := time.Now().Add(time.Minute); left.Load() > 0; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatalf("%d are kept", left.Load())
		}
	}
	runtime.KeepAlive(&h)
}

// The page needs nothing from elsewhere, and its policy lets it run its own script only.
func TestPageIsAlone(t *testing.T) {
	w := get(new(debug.Handler), "")
	page := w.Body.String()
	if got := w.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	_, rest, _ := strings.Cut(page, "<script>")
	script, _, ok := strings.Cut(rest, "</script>")
	sum := sha256.Sum256([]byte(script))
	policy := w.Header().Get("Content-Security-Policy")
	if !ok || !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") || !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("policy %q", policy)
	}
	for _, word := range []string{"src=", "//cdn", "@import", "url(", "innerHTML"} {
		if strings.Contains(page, word) {
			t.Errorf("the page has %q", word)
		}
	}
}

// Every pair of methods may be called at once, with pages that come and go.
func TestAllPairsAtOnce(t *testing.T) {
	type fixture struct {
		h      *debug.Handler
		ctx    context.Context
		cancel func()
	}
	ask := func(f fixture, query string) {
		f.h.ServeHTTP(&lines{}, httptest.NewRequestWithContext(f.ctx, http.MethodGet, "/"+query, nil))
	}
	calls := map[string]func(fixture){
		"cancel":         func(f fixture) { f.cancel() },
		"Handler.Remove": func(f fixture) { f.h.Remove("c") },
		"Handler.Close": func(f fixture) {
			if err := f.h.Close(); err != nil {
				t.Error(err)
			}
		},
		"Handler.ServeHTTP": func(f fixture) { ask(f, "?format=json") },
		"the page":          func(f fixture) { ask(f, "") },
		"a stream":          func(f fixture) { ask(f, "?format=events") },
		"Add":               func(f fixture) { debug.Add(f.h, "c", &counted{}) },
	}
	testkit.Complete(t, testkit.Exported(t, "Handler"), calls)
	testkit.Pairs(t, calls, func() fixture {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		h := &debug.Handler{Interval: time.Millisecond}
		debug.Add(h, "c", &counted{})
		return fixture{h, ctx, cancel}
	}, func(f fixture) { f.cancel() })
}
