package pipeline

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/tandemgo/tandem/internal/misuse"
)

// ErrNoBranch is the error of an item for which a [Split] has no branch.
var ErrNoBranch = errors.New("pipeline: no branch for this key")

// Split returns a stage that sends each item through the branch for its key, and
// merges the results of the branches as they come. With a bool for a key it
// is a choice of two:
//
//	Split(isLarge, map[bool]Stage[File, Sum]{true: inParts, false: atOnce})
//
// The branches run in parallel and are part of the run: an error in one ends it.
// Items of one branch stay in order, and a branch that is busy holds up the
// others once the way to it is full. An item for whose key there is no branch
// fails with [ErrNoBranch]. A branch that has had enough, as with a [Take],
// drops all further items for it. Split panics if key is nil, if there is no branch,
// or if one is the zero Stage.
func Split[K comparable, In, Out any](key func(In) K, branches map[K]Stage[In, Out], opts ...Option) Stage[In, Out] {
	misuse.Nil(key == nil, "pipeline: Split: function")
	type named struct {
		name string
		key  K
	}
	var keys []named
	for k := range branches {
		keys = append(keys, named{fmt.Sprint(k), k})
	}
	slices.SortFunc(keys, func(a, b named) int { return strings.Compare(a.name, b.name) })
	index := map[K]int{}
	var stages []Stage[In, Out]
	var labels []string
	for i, k := range keys {
		index[k.key] = i
		stages, labels = append(stages, branches[k.key]), append(labels, k.name)
	}
	return fork("Split", "split", labels, stages, func(_ context.Context, v In) (int, error) {
		k := key(v)
		i, ok := index[k]
		if !ok {
			return 0, fmt.Errorf("%w: %v", ErrNoBranch, k)
		}
		return i, nil
	}, opts...)
}

// ByKey returns a stage that runs n of the same lane in parallel and sends items
// with the same key through the same one, so that they stay in order, and
// merges the results of the lanes as they come. Keys are hashed: an item may
// wait for one with another key in its lane. ByKey panics if n is less than 1,
// key is nil, or lane is the zero Stage.
func ByKey[K comparable, In, Out any](n int, key func(In) K, lane Stage[In, Out], opts ...Option) Stage[In, Out] {
	misuse.Nil(key == nil, "pipeline: ByKey: function")
	misuse.Below(n, 1, "pipeline: ByKey: lanes")
	seed := maphash.MakeSeed()
	return fork("ByKey", "by key", make([]string, n), slices.Repeat([]Stage[In, Out]{lane}, n), func(_ context.Context, v In) (int, error) {
		return int(maphash.Comparable(seed, key(v)) % uint64(n)), nil
	}, opts...)
}

// Merge returns a stage that sends each item through every branch, and brings
// the results together as they come: Split without a choice. Merge
// panics if there is no branch, or if one is the zero Stage.
func Merge[In, Out any](branches ...Stage[In, Out]) Stage[In, Out] {
	return fork("Merge", "merge", make([]string, len(branches)), branches, func(context.Context, In) (int, error) {
		return everyBranch, nil
	})
}
