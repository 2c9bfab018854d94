package main

import (
	"context"
	"errors"
	"iter"
	"maps"
	"net/url"
	"slices"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/pool"
)

// A source is what is checked: a tree of files or a site.
type source interface {
	// load reads all pages and passes each to seen, on the caller's goroutine.
	load(ctx context.Context, seen func(Page)) error
	// links walks the links of all pages.
	links(yield func(Link) bool)
	// inside reports whether u leads to something that belongs to the source.
	inside(u *url.URL) bool
	// check says what is wrong with a link that leads to u inside, "" if
	// nothing is. It is called by several goroutines at once.
	check(l Link, u *url.URL) string
}

// An Event says how far the run is.
type Event struct {
	Phase   string   `json:"phase"`
	Done    int      `json:"done"`
	Total   int      `json:"total"` // 0 while nobody knows
	Finding *Finding `json:"finding,omitempty"`
	Broken  int      `json:"broken"`
}

// A runner checks a source: it reads the pages, then checks the links inside,
// then those that lead elsewhere.
type runner struct {
	src      source
	client   *client
	external bool
	workers  int
	rec      *recorder
	news     *broadcast.Broadcast[Event]
}

// A task is one thing to check: a link inside the source, or a URL elsewhere.
type task struct {
	link Link
	url  *url.URL
	away bool
}

// A verdict is what came of a task; an empty reason means it is good.
type verdict struct {
	task
	reason string
}

// run fills the recorder. When ctx ends it returns early, and what the
// recorder holds is what was done by then.
func (r *runner) run(ctx context.Context) {
	defer func() {
		if ctx.Err() != nil {
			r.rec.stop("interrupted")
		}
		r.tell(Event{Phase: "done"})
	}()

	read := 0
	err := r.src.load(ctx, func(p Page) {
		read++
		r.tell(Event{Phase: "reading", Done: read, Finding: r.rec.page(p)})
	})
	if err != nil {
		r.rec.stop(err.Error())
	}

	inside, away := r.sort()
	checks := pool.New(r.workers, r.check)
	defer checks.Close()

	i := 0
	for v, err := range checks.Map(ctx, slices.Values(inside), pool.Unordered()) {
		if err != nil {
			r.failed(ctx, err)
			return
		}
		i++
		r.tell(Event{Phase: "checking", Done: i, Total: len(inside), Finding: r.rec.link(v.link, v.reason)})
	}

	// One host's URLs are asked for one after the other, many hosts at once.
	// The pool bounds how many requests there are in all.
	i = 0
	host := func(t task) string { return t.url.Host }
	for v, err := range fan.ByKey(ctx, 4*r.workers, firsts(away), host, checks.Do) {
		if err != nil {
			r.failed(ctx, err)
			return
		}
		i++
		for _, t := range away[v.url.String()] {
			r.tell(Event{Phase: "asking hosts", Done: i, Total: len(away), Finding: r.rec.link(t.link, v.reason)})
		}
	}
}

// failed records an error that is not about a link.
func (r *runner) failed(ctx context.Context, err error) {
	if ctx.Err() == nil {
		r.rec.stop(err.Error())
	}
}

// sort parts the links that can be checked into those inside and, by URL, those
// that lead elsewhere. What is no URL at all is a finding here and now.
func (r *runner) sort() (inside []task, away map[string][]task) {
	away = map[string][]task{}
	for l := range r.src.links {
		u, err := parseTarget(l.Target)
		switch {
		case err != nil:
			r.tell(Event{Phase: "checking", Finding: r.rec.link(l, err.Error())})
		case u == nil:
		case r.src.inside(u):
			inside = append(inside, task{link: l, url: u})
		case r.external:
			away[u.String()] = append(away[u.String()], task{link: l, url: u, away: true})
		}
	}
	return inside, away
}

// firsts walks one task for each URL.
func firsts(tasks map[string][]task) iter.Seq[task] {
	return func(yield func(task) bool) {
		for _, u := range slices.Sorted(maps.Keys(tasks)) {
			if !yield(tasks[u][0]) {
				return
			}
		}
	}
}

func (r *runner) check(ctx context.Context, t task) (verdict, error) {
	if !t.away {
		return verdict{t, r.src.check(t.link, t.url)}, nil
	}
	err := r.client.exists(ctx, t.url)
	if err == nil {
		return verdict{t, ""}, nil
	}
	return verdict{t, err.Error()}, ctx.Err()
}

// tell sends e to whoever watches. Nobody who does can hold the run up.
func (r *runner) tell(e Event) {
	e.Broken = r.rec.broken()
	if err := r.news.TrySend(e); err != nil && !errors.Is(err, broadcast.ErrClosed) {
		panic(err) // only a subscriber that blocks could cause that, and there is none
	}
}

// eachLink walks the links of pages in a fixed order.
func eachLink(pages map[string]Page, yield func(Link) bool) {
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		for _, l := range pages[name].Links {
			if !yield(l) {
				return
			}
		}
	}
}
