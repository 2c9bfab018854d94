// Package after is the march on packages pool and fan.
package after

import (
	"context"
	"errors"
	"iter"
	"math"
	"slices"

	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/pool"
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

// A run is one call of Run.
type run struct {
	*March
	jobs *pool.Group[job, struct{}]
}

// Run compares everything, whatever errors there are, and returns all of them.
func (m *March) Run(ctx context.Context) error {
	r := run{March: m}
	p := pool.New(m.Checkers, func(ctx context.Context, j job) (none struct{}, _ error) { return none, r.process(ctx, j) },
		pool.WithQueue(math.MaxInt)) // jobs submit jobs: none of them may wait for room
	r.jobs = p.Group(ctx, pool.CollectAll())
	r.jobs.Go(job{})
	_, err := r.jobs.Wait(ctx)
	return errors.Join(err, p.Close())
}

// process compares a directory, and submits those in it.
func (r *run) process(ctx context.Context, j job) error {
	sides := []side{{r.Src, j.dir, j.noSrc, nil}, {r.Dst, j.dir, j.noDst || r.NoTraverse, march.ErrNotFound}}
	lists, err := fan.Map(ctx, len(sides), sides, list)
	if err != nil {
		return err
	}
	src, dst := lists[0], lists[1]
	if r.NoTraverse {
		for e, err := range fan.Seq(ctx, r.Checkers, slices.Values(src), r.lookUp) {
			if err == nil {
				err = r.found(e)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	for len(src) > 0 || len(dst) > 0 {
		e := entry{inSrc: first(src) <= first(dst), inDst: first(dst) <= first(src)}
		if e.inDst {
			e.Entry, dst = dst[0], dst[1:]
		}
		if e.inSrc {
			e.Entry, src = src[0], src[1:]
		}
		if err := r.found(e); err != nil {
			return err
		}
	}
	return nil
}

// first returns the key of the first entry, or one behind all others.
func first(entries []march.Entry) string {
	if len(entries) == 0 {
		return "\xff"
	}
	return entries[0].Key()
}

// A side is a directory of one tree.
type side struct {
	fs    march.FS
	dir   string
	none  bool
	empty error // the error that means that nothing is there
}

func list(ctx context.Context, s side) (all []march.Entry, err error) {
	if !s.none {
		err = s.fs.List(ctx, s.dir, func(some []march.Entry) error {
			all = append(all, some...)
			return nil
		})
	}
	if errors.Is(err, s.empty) {
		err = nil
	}
	return all, err
}

// An entry is in one tree, or in both.
type entry struct {
	march.Entry
	inSrc, inDst bool
}

func (r *run) lookUp(ctx context.Context, e march.Entry) (entry, error) {
	if e.Dir {
		return entry{e, true, false}, nil
	}
	_, err := r.Dst.Lookup(ctx, e.Path)
	return entry{e, true, err == nil}, nil
}

// found calls the function for an entry, and submits the job of a directory.
func (r *run) found(e entry) error {
	if e.Dir {
		r.jobs.Go(job{e.Path, !e.inSrc, !e.inDst})
	}
	switch {
	case !e.inDst:
		r.Calls.SrcOnly(e.Entry)
	case !e.inSrc:
		r.Calls.DstOnly(e.Entry)
	default:
		return r.Calls.Match(e.Entry)
	}
	return nil
}

// Files calls fn for each of the given files that is there. It returns the first error.
func Files(ctx context.Context, checkers int, fs march.FS, paths iter.Seq[string], fn func(march.Entry) error) error {
	return fan.ForEach(ctx, checkers, paths, func(ctx context.Context, path string) error {
		e, err := fs.Lookup(ctx, path)
		if errors.Is(err, march.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return fn(e)
	})
}
