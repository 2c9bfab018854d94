package pipeline

import (
	"context"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
)

// A link is the bounded queue between two stages. An item that was sent can be
// received at once, whatever its sender does next.
type link[T any] struct{ ch chan T }

// defaultLink is the capacity of a link that no Buffer has set: enough for a
// stage to go on while its neighbour is being woken.
const defaultLink = 16

func newLink[T any](capacity int) link[T] { return link[T]{make(chan T, capacity)} }

// send returns an error if ctx has ended before v was sent.
func (l link[T]) send(ctx context.Context, v T) error { return ctxselect.Send(ctx, l.ch, v) }

// recv returns ok == false at the clean end, and an error if ctx has ended.
func (l link[T]) recv(ctx context.Context) (v T, ok bool, err error) {
	return ctxselect.Recv(ctx, l.ch)
}

// recvUntil is recv that also returns when timer fires, with late == true.
func (l link[T]) recvUntil(ctx context.Context, timer <-chan time.Time) (v T, ok, late bool, err error) {
	if ctx.Err() != nil {
		return v, false, false, context.Cause(ctx)
	}
	select {
	case v, ok = <-l.ch:
		return v, ok, false, nil
	case <-timer:
		return v, false, true, nil
	case <-ctx.Done():
		return v, false, false, context.Cause(ctx)
	}
}

func (l link[T]) close() { close(l.ch) }
