package natspipe_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// byHand moves numbers from one stream to another, written by hand as the documentation of
// nats.go shows it, with these features of natspipe: JSON values; a message is
// acknowledged when the result is stored under an id made of its number, so that a repeat
// is stored once; a result is sent again until it is stored; a failed message is delivered
// again after a delay; signs of life keep a message that takes long. It has no dead
// letters, does not make a deleted consumer again, and does not hand back what it has
// taken in advance. With partitions, one consumer for each keeps their order.
type byHand struct {
	js      jetstream.JetStream
	in, out string
	workers int // for each consumer
	ahead   int // messages of one request
	stored  atomic.Int64
}

// work starts consumers on the given subjects of the stream. stop ends them.
func (h *byHand) work(ctx context.Context, subjects []string, fn func(context.Context, int) (int, error)) (stop func()) {
	var wg sync.WaitGroup
	var iterators []jetstream.MessagesContext
	for i, subject := range subjects {
		cfg := jetstream.ConsumerConfig{
			Durable: fmt.Sprint("hand-", i), FilterSubject: subject, AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWaitByHand, MaxAckPending: -1,
		}
		if len(subjects) > 1 {
			cfg.MaxAckPending = 1
		}
		c := must(h.js.CreateOrUpdateConsumer(ctx, h.in, cfg))
		it := must(c.Messages(jetstream.PullMaxMessages(h.ahead), jetstream.PullExpiry(10*time.Second), jetstream.PullHeartbeat(2*time.Second)))
		iterators = append(iterators, it)
		messages := make(chan jetstream.Msg)
		wg.Go(func() {
			defer close(messages)
			for {
				m, err := it.Next()
				if errors.Is(err, jetstream.ErrNoHeartbeat) {
					continue
				}
				if err != nil {
					return
				}
				messages <- m
			}
		})
		for range h.workers {
			wg.Go(func() {
				for m := range messages {
					h.one(ctx, m, fn)
				}
			})
		}
	}
	return func() {
		for _, it := range iterators {
			it.Stop()
		}
		wg.Wait()
	}
}

const ackWaitByHand = 30 * time.Second

func (h *byHand) one(ctx context.Context, m jetstream.Msg, fn func(context.Context, int) (int, error)) {
	alive := time.AfterFunc(ackWaitByHand/3, func() { m.InProgress() })
	defer alive.Stop()
	var in int
	if err := json.Unmarshal(m.Data(), &in); err != nil {
		m.TermWithReason(err.Error())
		return
	}
	v, err := fn(ctx, in)
	if err != nil {
		m.NakWithDelay(time.Second)
		return
	}
	meta := must(m.Metadata())
	out := &nats.Msg{Subject: h.out, Data: must(json.Marshal(v)), Header: nats.Header{
		jetstream.MsgIDHeader: {fmt.Sprint(h.in, "/", meta.Sequence.Stream)},
	}}
	if meta.Consumer != "hand-0" || m.Subject() != h.in {
		out.Subject = h.out + m.Subject()[len(h.in):] // the partition stays the same
	}
	for {
		one, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, err := h.js.PublishMsg(one, out)
		cancel()
		if err == nil {
			m.Ack()
			h.stored.Add(1)
			return
		}
		if ctx.Err() != nil {
			return
		}
	}
}
