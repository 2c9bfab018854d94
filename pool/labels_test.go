package pool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/tandemgo/tandem/pool"
)

// labelled reads the labels of the calling goroutine, sorted, "" if it has none.
//
//go:noinline
func labelled() string {
	var buf bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&buf, 1)
	for rec := range strings.SplitSeq(buf.String(), "\n\n") {
		if !strings.Contains(rec, "pool_test.labelled+") {
			continue
		}
		if m := regexp.MustCompile(`labels: \{([^}]*)\}`).FindStringSubmatch(rec); m != nil {
			return strings.ReplaceAll(m[1], `"`, "")
		}
		return ""
	}
	return "not found"
}

func under(label string, f func(ctx context.Context)) {
	pprof.Do(context.Background(), pprof.Labels("tenant", label), f)
}

type labelTask = func(ctx context.Context) string

// C14: a task runs with the labels of its own context, and those of a pool with a name,
// whoever has started its worker and whatever the tasks before it have done.
func TestC14Labels(t *testing.T) {
	plain := func(context.Context) string { return labelled() }
	for _, name := range []string{"", "P"} {
		var opts []pool.Option
		with := func(tenant string) (want string) {
			if name != "" {
				want = "pool:P, worker:0"
			}
			if tenant != "" && want != "" {
				return "pool:P, tenant:" + tenant + ", worker:0"
			} else if tenant != "" {
				return "tenant:" + tenant
			}
			return want
		}
		if name != "" {
			opts = append(opts, pool.WithName(name))
		}
		check := func(what, got, tenant string) {
			t.Helper()
			if want := with(tenant); got != want {
				t.Errorf("pool %q, %s: labels %q, want %q", name, what, got, want)
			}
		}
		var told string
		opts = append(opts, pool.WithErrorHandler(func(context.Context, error) { told = labelled() }))
		p := pool.New(1, func(ctx context.Context, f labelTask) (string, error) {
			if f == nil {
				return "", errors.New("fails")
			}
			return f(ctx), nil
		}, opts...)
		var before string // a task that has gone before
		for step, after := range map[string]labelTask{
			"nothing": plain,
			"Do": func(ctx context.Context) string {
				pprof.Do(ctx, pprof.Labels("x", "y"), func(context.Context) {})
				return labelled()
			},
			"panic":  func(context.Context) string { panic(1) },
			"Goexit": func(context.Context) string { runtime.Goexit(); return "" },
			"Background": func(ctx context.Context) string {
				pprof.Do(context.Background(), pprof.Labels("x", "y"), func(context.Context) {})
				return ""
			},
			"its own": func(ctx context.Context) string {
				pprof.SetGoroutineLabels(pprof.WithLabels(ctx, pprof.Labels("x", "y")))
				return ""
			},
		} {
			for _, tenant := range []string{"A", "B", ""} {
				around := under
				if tenant == "" {
					around = func(_ string, f func(context.Context)) { f(context.Background()) }
				}
				around(tenant, func(ctx context.Context) {
					if v, err := p.Do(ctx, after); err == nil && v != "" {
						check(step, v, tenant)
					}
				})
				for _, tenant := range []string{"C", ""} {
					around := under
					if tenant == "" {
						around = func(_ string, f func(context.Context)) { f(context.Background()) }
					}
					around(tenant, func(ctx context.Context) {
						before = fmt.Sprint("after ", step, " of ", tenant)
						check(before, must(p.Do(ctx, plain)), tenant)
						check(before+", Submit", must(must(p.Submit(ctx, plain)).Wait(ctx)), tenant)
						g := p.Group(ctx)
						for range 40 {
							accept(g.Go(plain))
						}
						for i, v := range must(g.Wait(context.Background())) {
							check(fmt.Sprint(before, ", group ", i), v, tenant)
						}
						source := ""
						for v, err := range p.Map(ctx, func(yield func(labelTask) bool) { source = labelled(); yield(plain) }) {
							must0(err)
							check(before+", Map", v, tenant)
						}
						if want := map[bool]string{true: "", false: "tenant:" + tenant}[tenant == ""]; source != want {
							t.Errorf("the source has labels %q, want %q", source, want)
						}
						must0(p.Go(ctx, nil))
						must(p.Do(ctx, plain)) // there is one worker, so that it has been told
						check(before+", handler", told, tenant)
						// What a task does with labels is over with it, and what it asks is right.
						check(before+", Do inside", must(p.Do(ctx, func(ctx context.Context) (got string) {
							pprof.Do(ctx, pprof.Labels("x", "y"), func(context.Context) {
								if s := labelled(); !strings.Contains(s, "x:y") || !strings.Contains(s, tenant) || !strings.Contains(s, name) {
									t.Errorf("inside Do: %q", s)
								}
							})
							return labelled()
						})), tenant)
						// A task that runs in place has the labels of its own context, and the waiter gets
						// its own back.
						for wait, fn := range map[string]func(ctx context.Context, f labelTask) string{
							"Do":     func(ctx context.Context, f labelTask) string { return must(p.Do(ctx, f)) },
							"Future": func(ctx context.Context, f labelTask) string { return must(must(p.Submit(ctx, f)).Wait(ctx)) },
							"Group": func(ctx context.Context, f labelTask) string {
								g := p.Group(ctx)
								accept(g.Go(f))
								return must(g.Wait(ctx))[0]
							},
							"Map": func(ctx context.Context, f labelTask) (s string) {
								for v, err := range p.Map(ctx, func(yield func(labelTask) bool) { yield(f) }) {
									must0(err)
									s = v
								}
								return s
							},
						} {
							check(before+", around "+wait, must(p.Do(ctx, func(ctx context.Context) string {
								pprof.Do(ctx, pprof.Labels("tenant", "inner"), func(ctx context.Context) {
									check(before+", inside "+wait, fn(ctx, plain), "inner")
									check(before+", inside after "+wait, labelled(), "inner")
								})
								return labelled()
							})), tenant)
						}
					})
				}
			}
		}
		under("A", func(context.Context) { p.Close() })
	}
}

// C14: labels that a task sets and leaves are not those of the next task, also when a worker
// has taken several tasks at once, however they were submitted.
func TestC14LabelsInABatch(t *testing.T) {
	for _, name := range []string{"", "P"} {
		for _, how := range []string{"Go", "Submit", "Group"} {
			gate := make(chan struct{})
			var got []string
			opts, want := []pool.Option(nil), ""
			if name != "" {
				opts, want = append(opts, pool.WithName(name)), "pool:P, worker:0"
			}
			p := pool.New(1, func(_ context.Context, i int) (int, error) {
				<-gate
				got = append(got, labelled())
				pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels("left", "by another")))
				return i, nil
			}, opts...)
			g := p.Group(context.Background())
			for i := range 40 {
				switch how {
				case "Go":
					must0(p.Go(context.Background(), i))
				case "Submit":
					must(p.Submit(context.Background(), i))
				case "Group":
					accept(g.Go(i))
				}
			}
			close(gate)
			must(g.Wait(context.Background()))
			p.Close()
			for i, labels := range got {
				if labels != want {
					t.Errorf("pool %q, %s, task %d: labels %q, want %q", name, how, i, labels, want)
					break
				}
			}
			if len(got) != 40 {
				t.Errorf("%d tasks have run", len(got))
			}
		}
	}
}

// C14: what opens and closes states has none of the labels of whoever has submitted.
func TestC14LabelsOfStates(t *testing.T) {
	for _, name := range []string{"", "P"} {
		var opened, closed, told string
		opts := []pool.Option{pool.WithErrorHandler(func(context.Context, error) { told = labelled() })}
		want := ""
		if name != "" {
			opts, want = append(opts, pool.WithName(name)), "pool:P"
		}
		p := pool.NewStateful(1, func(context.Context) (int, error) { opened = labelled(); return 0, nil },
			func(context.Context, int, int) (int, error) { return 0, nil },
			func(int) error { closed = labelled(); return errors.New("fails") }, opts...)
		under("A", func(ctx context.Context) {
			must(p.Do(ctx, 1))
			_ = p.Close()
		})
		if opened != want || closed != want || told != want {
			t.Errorf("pool %q: opened %q, closed %q, told %q, want %q", name, opened, closed, told, want)
		}
	}
}

// C14: the error handler is told of a task that will not run with the labels of that task,
// and whoever ends the pool keeps its own.
func TestC14LabelsOfTheEnd(t *testing.T) {
	for _, how := range []string{"Shutdown", "root"} {
		for _, name := range []string{"", "P"} {
			told := make(chan string, 3)
			gate := make(chan struct{})
			root, end := context.WithCancel(context.Background())
			opts := []pool.Option{pool.WithContext(root), pool.WithErrorHandler(func(context.Context, error) { told <- labelled() })}
			want := []string{"tenant:A", ""}
			if name != "" {
				opts, want = append(opts, pool.WithName(name)), []string{"pool:P, tenant:A", "pool:P"}
			}
			p := pool.New(1, func(context.Context, int) (int, error) { gate <- struct{}{}; <-gate; return 0, nil }, opts...)
			must0(p.Go(context.Background(), 0))
			<-gate
			under("A", func(ctx context.Context) { must0(p.Go(ctx, 1)) })
			must0(p.Go(context.Background(), 2))
			under("B", func(context.Context) {
				switch how {
				case "Shutdown":
					ended, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
					_ = p.Shutdown(ended)
					cancel()
				case "root":
					end()
				}
				for i := range want {
					if got := <-told; got != want[i] {
						t.Errorf("%s, pool %q: told with %q, want %q", how, name, got, want[i])
					}
				}
				if got := labelled(); got != "tenant:B" {
					t.Errorf("%s: whoever ends it has %q", how, got)
				}
			})
			close(gate)
			p.Close()
			end()
		}
	}
}

// C14: a task of another pool has the labels of the context that it was given, not of the
// worker that has submitted it, and its pool's name.
func TestC14LabelsOfTwoPools(t *testing.T) {
	q := pool.New(1, func(context.Context, int) (string, error) { return labelled(), nil }, pool.WithName("Q"))
	p := pool.New(1, func(ctx context.Context, i int) (string, error) {
		if i == 0 {
			ctx = context.Background()
		}
		return q.Do(ctx, 1)
	})
	under("A", func(ctx context.Context) {
		if got := must(p.Do(ctx, 0)); got != "pool:Q, worker:0" {
			t.Errorf("under Background: %q", got)
		}
		if got := must(p.Do(ctx, 1)); got != "pool:Q, tenant:A, worker:0" {
			t.Errorf("under the task's: %q", got)
		}
	})
	p.Close()
	q.Close()
}
