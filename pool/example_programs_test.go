package pool_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync/atomic"
	"testing/fstest"
	"time"

	"github.com/tandemgo/tandem/pool"
)

// A pool of functions is used as an errgroup is: the first error ends the
// others and is the one that Wait returns. The eight workers serve any number
// of such groups, and a panic is an error.
func Example_errgroupStyle() {
	p := pool.New(8, func(ctx context.Context, f func(context.Context) error) (struct{}, error) { return struct{}{}, f(ctx) })
	defer p.Close()

	g := p.Group(context.Background())
	for _, host := range []string{"a.example", "down.example", "c.example"} {
		g.Go(func(ctx context.Context) error {
			if host == "down.example" {
				return errors.New(host + " is down")
			}
			<-ctx.Done() // a slow answer, which nobody needs any more
			return ctx.Err()
		})
	}
	_, err := g.Wait(context.Background())
	fmt.Println(err)
	// Output: task 1: down.example is down
}

// A server answers at once and leaves slow work to a pool. It shuts down from
// the outside in: first the server, so that nothing new is accepted, then the
// pool, which finishes what was.
func Example_gracefulShutdown() {
	var sent atomic.Int64
	mailer := pool.New(2, func(ctx context.Context, to string) (struct{}, error) {
		select {
		case <-time.After(time.Millisecond): // mail takes its time
			sent.Add(1)
			return struct{}{}, nil
		case <-ctx.Done(): // the time limit of Shutdown
			return struct{}{}, fmt.Errorf("mail to %s: %w", to, context.Cause(ctx))
		}
	}, pool.WithErrorHandler(func(_ context.Context, err error) { fmt.Println(err) }))

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The mail outlives the request, whose context ends with the answer, but
		// keeps its values, such as a trace.
		ctx := context.WithoutCancel(r.Context())
		if err := mailer.Go(ctx, r.FormValue("to")); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	accepted := 0
	for i := range 20 {
		res, err := server.Client().Get(fmt.Sprintf("%s/?to=user%d", server.URL, i))
		if err != nil {
			fmt.Println(err)
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusAccepted {
			accepted++
		}
	}

	server.Close() // waits for its handlers; on a http.Server it is Shutdown
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := mailer.Shutdown(ctx)
	fmt.Println("accepted", accepted, "sent", sent.Load(), "error", err)
	// Output: accepted 20 sent 20 error <nil>
}

// Every worker has a hash of its own, made before its first task and used again
// for each. What needs no closing is closed by a function that does nothing;
// this one counts.
func ExampleNewStateful() {
	var open atomic.Int64
	p := pool.NewStateful(4,
		func(context.Context) (hash.Hash, error) { open.Add(1); return sha256.New(), nil },
		func(_ context.Context, h hash.Hash, s string) (string, error) {
			h.Reset() // of what the worker's last task has left
			h.Write([]byte(s))
			return fmt.Sprintf("%.4x", h.Sum(nil)), nil
		},
		func(hash.Hash) error { open.Add(-1); return nil })

	for sum, err := range p.Map(context.Background(), slices.Values([]string{"one", "two", "three"})) {
		fmt.Println(sum, err)
	}
	err := p.Close()
	fmt.Println(open.Load(), "left open,", err)
	// Output:
	// 7692c3ad <nil>
	// 3fc4ccfe <nil>
	// 8b5b9db0 <nil>
	// 0 left open, <nil>
}

// The files of a tree are hashed in parallel, one a core, while it is being
// walked, and printed in its order.
func Example_hashTree() {
	tree := fstest.MapFS{
		"README":       {Data: []byte("read me")},
		"src/main.go":  {Data: []byte("package main")},
		"src/tree.go":  {Data: []byte("package main")},
		"testdata/one": {Data: []byte("1")},
	}
	var walk error
	files := func(yield func(string) bool) {
		walk = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && !yield(name) {
				return fs.SkipAll
			}
			return err
		})
	}
	p := pool.New(runtime.GOMAXPROCS(0), func(_ context.Context, name string) (string, error) {
		data, err := fs.ReadFile(tree, name)
		return fmt.Sprintf("%.4x  %s", sha256.Sum256(data), name), err
	})
	defer p.Close()

	for line, err := range p.Map(context.Background(), files) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(line)
	}
	fmt.Println("walk:", walk) // which has ended with the loop
	// Output:
	// 3f220956  README
	// 51284385  src/main.go
	// 51284385  src/tree.go
	// 6b86b273  testdata/one
	// walk: <nil>
}
