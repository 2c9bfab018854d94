package debug_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime/trace"
	"sync"
	"time"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/debug"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/ratelimit"
)

// The page of a program, behind a middleware that asks for a password. A script reads the
// same figures as JSON.
func ExampleHandler() {
	mail := pool.New(4, func(_ context.Context, to string) (string, error) { return "sent to " + to, nil })
	defer mail.Close()
	prices := broadcast.New[int](broadcast.Traced()) // says where each subscription was made
	api := ratelimit.New(ratelimit.Per(50, time.Second), 10)
	users := ratelimit.NewKeyed[string](ratelimit.Per(10, time.Second), 5)
	var images pipeline.Observer // watches a pipeline, see pipeline.Stage.Observe

	h := &debug.Handler{Interval: 2 * time.Second} // the zero value is ready, too
	debug.Add(h, "mail", mail)
	debug.Add(h, "prices", prices)
	debug.Add(h, "api", api)
	debug.Add(h, "users", users)
	debug.Add(h, "images", &images)

	mux := http.NewServeMux()
	mux.Handle("/debug/tandem", onlyAdmins(h))
	server := httptest.NewUnstartedServer(mux)
	server.Config.RegisterOnShutdown(func() { _ = h.Close() }) // ends the streams of open pages
	server.Start()
	defer server.Close()

	fmt.Println(mail.Do(context.Background(), "ann"))

	req, err := http.NewRequest(http.MethodGet, server.URL+"/debug/tandem?format=json", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	req.SetBasicAuth("admin", "secret")
	res, err := server.Client().Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	var seen struct {
		Pools []struct {
			Name  string
			Stats struct{ Completed, Failed int }
		}
	}
	fmt.Println(json.NewDecoder(res.Body).Decode(&seen), seen.Pools)
	// Output:
	// sent to ann <nil>
	// <nil> [{mail {1 0}}]
}

func onlyAdmins(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if _, password, ok := req.BasicAuth(); !ok || password != "secret" {
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, req)
	})
}

// A helper that shows whatever can be shown. A pool that exists for one job is shown as long
// as that.
func ExampleStats() {
	var h debug.Handler
	show(&h, "nightly", pool.New(1, func(_ context.Context, n int) (int, error) { return n, nil }))
	h.Remove("nightly")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?format=json", nil))
	fmt.Println(w.Code, json.Valid(w.Body.Bytes()))
	// Output: 200 true
}

// show takes whatever the page can show.
func show[S debug.Stats](h *debug.Handler, name string, x interface{ Stats() S }) {
	debug.Add(h, name, x)
}

// The flight recorder has the last seconds. A task that is slow has them written, in which it and
// the tasks beside it are seen by name: go tool trace slow.trace.
func ExampleRegion() {
	recorder := trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: 5 * time.Second})
	if err := recorder.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer recorder.Stop()

	var slow bytes.Buffer // a program creates the file slow.trace
	var once sync.Once
	resize := debug.Region("resize", func(_ context.Context, d time.Duration) (string, error) {
		time.Sleep(d) // the work
		return "done", nil
	})
	p := pool.New(4, func(ctx context.Context, d time.Duration) (string, error) {
		start := time.Now()
		defer func() {
			if time.Since(start) > 20*time.Millisecond {
				once.Do(func() { _, _ = recorder.WriteTo(&slow) })
			}
		}()
		return resize(ctx, d)
	})
	for _, d := range []time.Duration{0, time.Millisecond, 30 * time.Millisecond} {
		if _, err := p.Do(context.Background(), d); err != nil {
			fmt.Println(err)
		}
	}
	if err := p.Close(); err != nil {
		fmt.Println(err)
	}
	fmt.Println(bytes.Contains(slow.Bytes(), []byte("resize")))
	// Output: true
}

// What is worth a line of the log: tasks that fail, subscriptions that lag or miss values, the first
// call that a limiter denies, and a shutdown that had to cancel tasks.
func ExampleLogErrors() {
	l := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Value.Kind() == slog.KindDuration {
			return slog.Attr{} // it differs each time
		}
		return a
	}}))
	mail := pool.New(1, func(_ context.Context, to string) (struct{}, error) {
		return struct{}{}, fmt.Errorf("no mailbox %s", to)
	}, pool.WithErrorHandler(debug.LogErrors(l, "mail")))
	prices := broadcast.New[int](broadcast.WithCapacity(4), broadcast.WithLagHandler(debug.LogLag(l, "prices")))
	sub, err := prices.Subscribe(broadcast.WithName("ui"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sub.Close()

	if err := mail.Go(context.Background(), "ann"); err != nil {
		fmt.Println(err)
	}
	if err := mail.Close(); err != nil {
		fmt.Println(err)
	}
	for n := range 10 {
		if err := prices.Send(context.Background(), n); err != nil {
			fmt.Println(err)
		}
	}
	if err := prices.Close(); err != nil {
		fmt.Println(err)
	}
	for range debug.LogGaps(l, "ui", sub.All(context.Background())) {
	}

	users := debug.LogDenial(l, "users", ratelimit.NewKeyed[string](ratelimit.Every(time.Hour), 1))
	for range 3 {
		if _, err := users.Take(context.Background(), "ann", 1); err != nil {
			fmt.Println(err)
		}
	}

	started, release := make(chan struct{}), make(chan struct{})
	backup := pool.New(1, func(context.Context, string) (struct{}, error) {
		close(started)
		<-release // whatever its context
		return struct{}{}, nil
	})
	if err := backup.Go(context.Background(), "disk"); err != nil {
		fmt.Println(err)
	}
	<-started
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_ = debug.LogShutdown(ctx, l, "backup", backup)
	close(release)
	// Output:
	// level=ERROR msg="a task failed" pool=mail error="no mailbox ann"
	// level=WARN msg="a subscription lags" broadcast=prices subscription=ui backlog=2
	// level=WARN msg="a subscription has missed values" subscription=ui missed=6
	// level=WARN msg="a limiter has denied its first call" limiter=users
	// level=WARN msg="a shutdown had to cancel" of=backup error="pool: Shutdown: 1 tasks still running, 0 cancelled in the queue: context deadline exceeded"
}
