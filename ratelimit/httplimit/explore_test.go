//go:build points

package httplimit

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/ratelimit"
)

const tick = time.Second

var errGone = errors.New("gone")

// onlyTake hides all else that a Keyed can do, onlyWait all but WaitN.
type onlyTake struct{ ratelimit.Taker[string] }

type onlyWait struct {
	ratelimit.Taker[string]
	x *ratelimit.Keyed[string]
}

func (o onlyWait) WaitN(ctx context.Context, k string, n int) error {
	sched.Opaque("far away")
	return o.x.WaitN(ctx, k, n)
}

// eachProgram runs a program with each kind of Taker, of which nothing is left at
// first if the rate is not unlimited.
func eachProgram(t *testing.T, rate ratelimit.Rate, program func(t testing.TB, r *explore.Run, h *history)) {
	for _, kind := range []string{"Keyed", "WaitN", "Take"} {
		t.Run(kind, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				x := ratelimit.NewKeyed[string](rate, 1)
				var taker ratelimit.Taker[string] = x
				switch kind {
				case "WaitN":
					taker = onlyWait{x, x}
				case "Take":
					taker = onlyTake{x}
				}
				x.Allow("a")
				h := &history{start: time.Now(), tr: NewTransport(nil, taker, func(*http.Request) string { return "a" })}
				program(t, r, h)
			})
		})
	}
}

// A history is what was sent, in order. One goroutine runs at a time.
type history struct {
	tr    *Transport[string]
	start time.Time
	sent  []uint64
	at    []time.Duration
}

func (h *history) wait(ctx context.Context, order uint64) error {
	err := h.tr.wait(ctx, "a", 1, order)
	if err == nil {
		h.sent, h.at = append(h.sent, order), append(h.at, time.Since(h.start))
	}
	return err
}

func (h *history) send(t testing.TB, order uint64) {
	if err := h.wait(t.Context(), order); err != nil {
		t.Error(err)
	}
}

func (h *history) check(t testing.TB, sent ...uint64) {
	if !slices.Equal(h.sent, sent) {
		t.Errorf("sent %v at %v, want %v", h.sent, h.at, sent)
	}
	if n := len(h.tr.lines.of); n > 1 || n == 1 && h.tr.lines.of["a"].requests.Len() > 0 {
		t.Errorf("a request is left in the line")
	}
}

// R3: requests that come during a pause are let in one after the other.
func TestExploreOrderAfterPause(t *testing.T) {
	for name, rate := range map[string]ratelimit.Rate{"free": ratelimit.Unlimited, "limited": ratelimit.Every(tick)} {
		t.Run(name, func(t *testing.T) {
			eachProgram(t, rate, func(t testing.TB, r *explore.Run, h *history) {
				h.tr.lines.pause("a", 2*tick)
				for i := range uint64(3) {
					r.Go("request", func() { h.send(t, i+1) })
				}
				r.After(func() {
					h.check(t, 1, 2, 3)
					if h.at[0] != 2*tick {
						t.Errorf("sent at %v", h.at)
					}
				})
			})
		})
	}
}

// R2, R3: requests that wait for permits when a pause begins keep their places, and
// what is granted in it is sent behind it.
func TestExplorePauseMeetsGrant(t *testing.T) {
	eachProgram(t, ratelimit.Every(tick), func(t testing.TB, r *explore.Run, h *history) {
		paused := time.Duration(-1)
		r.Go("first", func() { h.send(t, 1) })
		r.Go("second", func() { h.send(t, 2) })
		r.Go("pause", func() {
			time.Sleep(tick)
			r.Step("an answer has come")
			h.tr.lines.pause("a", 2*tick)
			paused = time.Since(h.start)
		})
		r.After(func() {
			if len(h.sent) != 2 {
				t.Fatalf("sent %v", h.sent)
			}
			for _, at := range h.at {
				if at > paused && at < paused+2*tick {
					t.Errorf("sent at %v, the pause began at %v", h.at, paused)
				}
			}
			if h.at[1]-h.at[0] < tick {
				t.Errorf("sent at %v", h.at)
			}
			slices.Sort(h.sent) // no order, if both ask before the pause
			h.check(t, 1, 2)
		})
	})
}

// R2: a request that gives up as its turn comes lets the others go on.
func TestExploreCancelMeetsTurn(t *testing.T) {
	eachProgram(t, ratelimit.Every(tick), func(t testing.TB, r *explore.Run, h *history) {
		h.tr.lines.pause("a", 2*tick)
		ctx, cancel := context.WithCancelCause(t.Context())
		r.After(func() { cancel(nil) })
		var err error
		r.Go("first", func() { err = h.wait(ctx, 1) })
		r.Go("second", func() { h.send(t, 2) })
		r.Go("cancel", func() {
			time.Sleep(2 * tick)
			r.Step("the pause is over")
			sched.Cancel(func() { cancel(errGone) })
		})
		r.After(func() {
			switch {
			case err == nil:
				h.check(t, 1, 2)
			case err == errGone:
				h.check(t, 2)
			default:
				t.Error(err)
			}
		})
	})
}
