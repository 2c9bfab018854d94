// Package before is the march on channels and goroutines of its own.
package before

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/tandemgo/tandem/ports/march"
)

// A March compares two trees, directory by directory.
type March struct {
	Src, Dst   march.FS
	Checkers   int  // directories at once, and files of one that are looked up at once
	NoTraverse bool // look the files up in Dst, and list nothing there
	Calls      march.Calls
}

type job struct {
	dir          string
	noSrc, noDst bool
}

// Run compares everything, whatever errors there are, and returns the first of them and their
// number.
func (m *March) Run(ctx context.Context) error {
	var mu sync.Mutex
	var firstError error
	var errCount int
	var workers, unfinished sync.WaitGroup
	in := make(chan job, m.Checkers)
	for range m.Checkers {
		workers.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case j, ok := <-in:
					if !ok {
						return
					}
					jobs, err := m.process(ctx, j)
					if err != nil {
						mu.Lock()
						firstError = cmp.Or(firstError, err)
						errCount++
						mu.Unlock()
					}
					if len(jobs) > 0 {
						unfinished.Add(len(jobs))
						go func() { // the workers may all be here
							for _, j := range jobs {
								select {
								case <-ctx.Done():
									unfinished.Done()
								case in <- j:
								}
							}
						}()
					}
					unfinished.Done()
				}
			}
		})
	}
	unfinished.Add(1)
	in <- job{}
	done := make(chan struct{})
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		select {
		case <-ctx.Done(): // the workers are gone
			for range in {
				unfinished.Done()
			}
		case <-done:
		}
	}()
	unfinished.Wait()
	close(done)
	close(in)
	workers.Wait()
	<-drained
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errCount > 1 {
		return fmt.Errorf("march: %d errors, the first is: %w", errCount, firstError)
	}
	return firstError
}

// process compares a directory, and returns those in it.
func (m *March) process(ctx context.Context, j job) (jobs []job, _ error) {
	src, dst := make(chan march.Entry, 100), make(chan march.Entry, 100)
	var srcErr, dstErr error
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	list := func(fs march.FS, to chan<- march.Entry, err *error) {
		wg.Go(func() {
			defer close(to)
			*err = fs.List(ctx, j.dir, func(entries []march.Entry) error {
				for _, e := range entries {
					select {
					case to <- e:
					case <-ctx.Done():
						return ctx.Err()
					}
				}
				return nil
			})
		})
	}
	if j.noSrc {
		close(src)
	} else {
		list(m.Src, src, &srcErr)
	}
	switch {
	case m.NoTraverse:
		listed := src
		src = make(chan march.Entry, 100)
		wg.Go(func() { m.lookUp(ctx, listed, src, dst) })
	case j.noDst:
		close(dst)
	default:
		list(m.Dst, dst, &dstErr)
	}
	jobs, err := m.match(ctx, src, dst)
	if err != nil {
		cancel()
	}
	wg.Wait()
	if errors.Is(dstErr, march.ErrNotFound) {
		dstErr = nil
	}
	return jobs, cmp.Or(err, srcErr, dstErr)
}

// lookUp copies listed to src, and sends those that are in the other tree to dst, in the same
// order.
func (m *March) lookUp(ctx context.Context, listed <-chan march.Entry, src, dst chan<- march.Entry) {
	defer close(src)
	defer close(dst)
	var mu sync.Mutex
	var found []march.Entry
	var g errgroup.Group
	g.SetLimit(m.Checkers)
	for e := range listed {
		src <- e
		if e.Dir {
			continue
		}
		g.Go(func() error {
			if match, err := m.Dst.Lookup(ctx, e.Path); err == nil {
				mu.Lock()
				defer mu.Unlock()
				found = append(found, match)
			}
			return nil
		})
	}
	_ = g.Wait()
	slices.SortFunc(found, func(a, b march.Entry) int { return cmp.Compare(a.Key(), b.Key()) })
	for _, e := range found {
		dst <- e
	}
}

// match calls the function for each entry, and returns the directories.
func (m *March) match(ctx context.Context, srcs, dsts <-chan march.Entry) (jobs []job, _ error) {
	src, moreSrc := <-srcs
	dst, moreDst := <-dsts
	for moreSrc || moreDst {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		switch {
		case !moreDst || moreSrc && src.Key() < dst.Key():
			m.Calls.SrcOnly(src)
			if src.Dir {
				jobs = append(jobs, job{dir: src.Path, noDst: true})
			}
			src, moreSrc = <-srcs
		case !moreSrc || dst.Key() < src.Key():
			m.Calls.DstOnly(dst)
			if dst.Dir {
				jobs = append(jobs, job{dir: dst.Path, noSrc: true})
			}
			dst, moreDst = <-dsts
		default:
			if src.Dir {
				jobs = append(jobs, job{dir: src.Path})
			}
			if err := m.Calls.Match(src); err != nil {
				return nil, err
			}
			src, moreSrc = <-srcs
			dst, moreDst = <-dsts
		}
	}
	return jobs, nil
}

// Files calls fn for each of the given files that is there. It returns the first error.
func Files(ctx context.Context, checkers int, fs march.FS, paths iter.Seq[string], fn func(march.Entry) error) error {
	todo := make(chan string, checkers)
	g, ctx := errgroup.WithContext(ctx)
	for range checkers {
		g.Go(func() error {
			for path := range todo {
				e, err := fs.Lookup(ctx, path)
				if errors.Is(err, march.ErrNotFound) {
					continue
				}
				if err != nil {
					return err
				}
				if err := fn(e); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for path := range paths {
		todo <- path
	}
	close(todo)
	return g.Wait()
}
