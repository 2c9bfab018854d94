package main

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"net/url"
	"regexp"
	"slices"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/pool"
)

// A source is a tree of files or a site.
type source interface {
	// load reads all pages and passes each to seen, on the caller's goroutine.
	load(ctx context.Context, seen func(Page)) error
	// links iterates over the links of all pages.
	links(yield func(Link) bool)
	// inside reports whether u refers to a part of the source.
	inside(u *url.URL) bool
	// check returns the fault of a link to u inside, or "" if the link is good. It is
	// safe for concurrent use.
	check(l Link, u *url.URL) string
}

// An Event is the progress of the run.
type Event struct {
	Phase   string   `json:"phase"`
	Done    int      `json:"done"`
	Total   int      `json:"total"` // 0 while unknown
	Finding *Finding `json:"finding,omitempty"`
	Broken  int      `json:"broken"`
}

// A runner checks a source: it reads the pages, then checks the internal links, then
// the external ones.
type runner struct {
	src      source
	client   *client
	external bool
	ignored  func(Link) bool
	workers  int
	rec      *recorder
	news     *broadcast.Broadcast[Event]
}

// A task is a link to check: an internal link, or the first of those with one external URL.
type task struct {
	link Link
	url  *url.URL
	away bool
}

// A result says how a task ended. An empty reason means that the link is good.
type result struct {
	task
	reason string
	page   Page // of an external URL, if a fragment is to be looked for
}

// run fills the recorder. If ctx ends, it returns early, and the recorder has the
// results so far.
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

	// The URLs of one host are requested one at a time, and many hosts at once. The
	// pool bounds the number of concurrent requests.
	i = 0
	for v, err := range fan.ByKey(ctx, 4*r.workers, firsts(away), func(t task) string { return host(t.url) }, checks.Do) {
		if err != nil {
			r.failed(ctx, err)
			return
		}
		i++
		for _, t := range away[plain(v.url)] {
			reason := v.reason
			if reason == "" && !v.page.HasAnchor(t.url.Fragment) && !scripted.MatchString(t.url.Fragment) {
				reason = "no such anchor"
			}
			r.tell(Event{Phase: "asking hosts", Done: i, Total: len(away), Finding: r.rec.link(t.link, reason)})
		}
	}
}

// failed records an error that does not belong to a link.
func (r *runner) failed(ctx context.Context, err error) {
	if ctx.Err() == nil {
		r.rec.stop(err.Error())
	}
}

// sort divides the links that can be checked into the internal ones and, by URL without
// fragment, the external ones. A link with an invalid URL is recorded as a finding.
func (r *runner) sort() (inside []task, away map[string][]task) {
	away = map[string][]task{}
	for l := range r.src.links {
		if r.ignored(l) {
			continue
		}
		u, err := parseTarget(l.Target)
		switch {
		case err != nil:
			r.tell(Event{Phase: "checking", Finding: r.rec.link(l, err.Error())})
		case u == nil:
		case r.src.inside(u):
			inside = append(inside, task{link: l, url: u})
		case r.external:
			u.Scheme = cmp.Or(u.Scheme, "https")
			away[plain(u)] = append(away[plain(u)], task{link: l, url: u, away: true})
		}
	}
	return inside, away
}

// scripted matches fragments that are usually none of an element, but are read by a script of
// the page: lines of a file, and what is shown.
var scripted = regexp.MustCompile(`^L\d+(C\d+)?(-L\d+(C\d+)?)?$|^!|/`)

// firsts returns an iterator over one task of each URL, with a fragment if there is one.
func firsts(tasks map[string][]task) iter.Seq[task] {
	return func(yield func(task) bool) {
		for _, u := range slices.Sorted(maps.Keys(tasks)) {
			i := slices.IndexFunc(tasks[u], func(t task) bool { return t.url.Fragment != "" })
			if !yield(tasks[u][max(i, 0)]) {
				return
			}
		}
	}
}

func (r *runner) check(ctx context.Context, t task) (result, error) {
	if !t.away {
		return result{task: t, reason: r.src.check(t.link, t.url)}, nil
	}
	p, err := r.client.exists(ctx, t.url)
	if err == nil {
		return result{task: t, page: p}, nil
	}
	return result{task: t, reason: err.Error()}, ctx.Err()
}

// tell sends e to the subscribers, none of which can block the run.
func (r *runner) tell(e Event) {
	e.Broken = r.rec.broken()
	if err := r.news.TrySend(e); err != nil && !errors.Is(err, broadcast.ErrClosed) {
		panic(err) // only a Block subscriber could cause that, and there is none
	}
}

// eachLink iterates over the links of pages in a fixed order.
func eachLink(pages map[string]Page, yield func(Link) bool) {
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		for _, l := range pages[name].Links {
			if !yield(l) {
				return
			}
		}
	}
}
