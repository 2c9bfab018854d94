package pipeline_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pipeline"
)

// L1, L3, L4: pipelines put together at random, which run to their end or are
// left, fail, panic or are cancelled at any item. What a run that has ended by
// itself gives is every id once, and in order if no stage gives that up; what
// another one has given until then is a beginning of it. TANDEM_SOAK sets the
// number of items: TANDEM_SOAK=10000000 go test -run Soak -timeout 2h ./pipeline
func TestSoak(t *testing.T) {
	items := 200_000
	if s := os.Getenv("TANDEM_SOAK"); s != "" {
		var err error
		if items, err = strconv.Atoi(s); err != nil {
			t.Fatal("TANDEM_SOAK:", err)
		}
	} else if testing.Short() || testkit.Race {
		items = 30_000
	}
	start, done, runs := time.Now(), 0, 0
	for ; done < items && !t.Failed(); runs++ {
		seed := rand.Uint64()
		testkit.Watchdog(t, func() { done += soak(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d items in %d runs went as they should, in %v", done, runs, time.Since(start))
}

// soak makes a pipeline by seed, runs it, and returns how many items have come
// out.
func soak(t *testing.T, seed uint64) int {
	plan := rand.New(rand.NewPCG(seed, 7))
	n := 1 << plan.IntN(15)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)

	// Half of the runs end by themselves, the others at some item, in some way.
	at := -1
	if plan.IntN(2) == 0 {
		at = plan.IntN(n)
	}
	ends := []func(){
		func() {},
		func() { cancel(errItem) },
		func() { panic(errItem) },
		runtime.Goexit,
	}
	end := plan.IntN(len(ends) + 1) // the last one: the loop is left
	ending := pipeline.Map(func(ctx context.Context, v int) (int, error) {
		if v == at && end < len(ends) {
			ends[end]()
			return 0, errItem
		}
		return v, ctx.Err()
	})

	stages, ordered := plan.IntN(6), true
	where := plan.IntN(stages + 1)
	s := pipeline.Tap(func(int) {})
	for i := range stages + 1 {
		if i == where {
			s = pipeline.Then(s, ending)
		} else {
			next, keeps := someStage(plan)
			s, ordered = pipeline.Then(s, next), ordered && keeps
		}
	}

	seen, last := testkit.NewLedger(n), -1
	var err error
	out := 0
	for v, e := range s.Run(ctx, count(n)) {
		if e != nil {
			err = e
			continue
		}
		seen.Note(v)
		if out++; ordered && v != last+1 {
			t.Errorf("%v: %d comes after %d", s, v, last)
		}
		if last = v; v == at && end == len(ends) {
			break
		}
	}
	switch {
	case at < 0 && (err != nil || out != n):
		t.Errorf("%v: %d of %d items, %v", s, out, n, err)
	case at >= 0 && end < len(ends) && err == nil:
		t.Errorf("%v: item %d ends the run, which returns nil", s, at)
	case err != nil && !errors.Is(err, errItem) && !errors.Is(err, pipeline.ErrGoexit):
		t.Errorf("%v: %v", s, err)
	}
	if at < 0 {
		seen.ExactlyOnce(t)
	} else {
		seen.AtMostOnce(t)
	}
	return out
}

// someStage returns a stage that gives back every item once, and whether it keeps
// their order.
func someStage(plan *rand.Rand) (s pipeline.Stage[int, int], ordered bool) {
	pass := func(_ context.Context, v int) (int, error) {
		switch v % 512 {
		case 1:
			runtime.Gosched()
		case 2:
			<-time.After(time.Microsecond)
		}
		return v, nil
	}
	n := 1 + plan.IntN(4)
	key := func(v int) int { return v % n }
	switch plan.IntN(11) {
	case 0:
		return pipeline.Map(pass), true
	case 1:
		return pipeline.Map(pass, pipeline.WithWorkers(n)), true
	case 2:
		return pipeline.Map(pass, pipeline.WithWorkers(n), pipeline.Unordered()), n == 1
	case 3:
		return pipeline.Filter(func(context.Context, int) (bool, error) { return true, nil }, pipeline.WithWorkers(n)), true
	case 4:
		return pipeline.FlatMap(func(_ context.Context, v int, emit func(int) error) error { return emit(v) }, pipeline.WithWorkers(n)), true
	case 5:
		return pipeline.Then(pipeline.Batch[int](1+plan.IntN(100), 0), pipeline.Unbatch[int]()), true
	case 6:
		return pipeline.Then(pipeline.Batch[int](1+plan.IntN(100), time.Microsecond), pipeline.Unbatch[int]()), true
	case 7:
		return pipeline.Buffer[int](1 + plan.IntN(100)), true
	case 8:
		return pipeline.Fuse(pipeline.Map(pass), pipeline.Map(pass)), true
	case 9:
		branches := make(map[int]pipeline.Stage[int, int])
		for i := range n {
			branches[i], ordered = someStage(plan)
		}
		return pipeline.Split(key, branches), ordered && n == 1
	default:
		s, ordered = someStage(plan)
		return pipeline.ByKey(n, key, s), ordered && n == 1
	}
}
