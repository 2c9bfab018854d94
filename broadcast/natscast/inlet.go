package natscast

import (
	"context"

	"github.com/nats-io/nats.go"

	"github.com/tandemgo/tandem/broadcast"
)

// most is the largest number of values in a batch.
const most = 256

// A sink receives the values and gaps of a link. Only the receiver uses it.
type sink interface {
	value(m *nats.Msg)
	malformed(m *nats.Msg, err error)
	gap(missed uint64) // 0: unknown
	flush()            // sends the batch
	report(err error)
}

// An inlet decodes values and feeds the local broadcast with them. Its state survives a
// codec that ends the goroutine.
type inlet[T any] struct {
	ctx     context.Context // ends with the broadcast
	local   *broadcast.Broadcast[T]
	decode  func(*nats.Msg) (T, error)
	onError func(error) // may be nil
	count   *counters
	batch   []T
}

func (in *inlet[T]) value(m *nats.Msg) {
	v, err := guard(in.decode, m, func() { in.malformed(m, ErrGoexit) })
	if err != nil {
		in.malformed(m, err)
		return
	}
	if in.batch = append(in.batch, v); len(in.batch) >= most {
		in.flush()
	}
}

// malformed counts a message that cannot be decoded, and reports it as a gap.
func (in *inlet[T]) malformed(m *nats.Msg, err error) {
	in.count.undecodable.Add(1)
	in.gap(1)
	in.report(&DecodeError{m.Subject, len(m.Data), err})
}

func (in *inlet[T]) gap(missed uint64) {
	in.flush()
	if missed == 0 {
		in.count.unknownGaps.Add(1)
	}
	in.count.missed.Add(missed)
	_ = in.local.ReportGap(missed) // it fails if the broadcast is closed
}

// flush sends the batch to the local broadcast. It waits for subscribers with the
// policy Block. Values that are left when the broadcast is closed are dropped.
func (in *inlet[T]) flush() {
	if len(in.batch) == 0 {
		return
	}
	n, _ := in.local.SendBatch(in.ctx, in.batch)
	in.count.received.Add(uint64(n))
	clear(in.batch)
	in.batch = in.batch[:0]
}

func (in *inlet[T]) report(err error) {
	if in.onError != nil {
		in.onError(err)
	}
}
