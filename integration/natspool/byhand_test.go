package natspool_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A pool written by hand as the documentation of nats.go shows it, with these features
// of natspool: a task is a JSON value, acknowledged with a confirmation after its run,
// when its result was sent; a failed task is delivered again after a delay; signs of
// life keep a long task; a worker takes at most one task beyond the one it runs. It has
// no dead letters, does not look for lost results, and does not drain.
type byHand struct {
	js      jetstream.JetStream
	name    string
	inbox   string
	mu      sync.Mutex
	waiting map[string]chan *nats.Msg
	tokens  int
}

func newByHand(b testing.TB, js jetstream.JetStream, name string) *byHand {
	h := &byHand{js: js, name: name, inbox: nats.NewInbox() + ".", waiting: map[string]chan *nats.Msg{}}
	must(js.CreateStream(soon(b), jetstream.StreamConfig{
		Name: name, Subjects: []string{name}, Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage,
	}))
	must(js.Conn().Subscribe(h.inbox+"*", func(m *nats.Msg) {
		token := strings.TrimPrefix(m.Subject, h.inbox)
		h.mu.Lock()
		ch := h.waiting[token]
		delete(h.waiting, token)
		h.mu.Unlock()
		if ch != nil {
			ch <- m
		}
	}))
	return h
}

func (h *byHand) Go(ctx context.Context, n int) error {
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	_, err = h.js.Publish(ctx, h.name, data)
	return err
}

func (h *byHand) Do(ctx context.Context, n int) (v int, err error) {
	data, err := json.Marshal(n)
	if err != nil {
		return 0, err
	}
	ch := make(chan *nats.Msg, 1)
	h.mu.Lock()
	h.tokens++
	token := strconv.Itoa(h.tokens)
	h.waiting[token] = ch
	h.mu.Unlock()
	m := &nats.Msg{Subject: h.name, Data: data, Header: nats.Header{"Reply": {h.inbox + token}}}
	if _, err := h.js.PublishMsg(ctx, m); err != nil {
		return 0, err
	}
	select {
	case m := <-ch:
		err = json.Unmarshal(m.Data, &v)
		return v, err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// work starts workers. stop ends them.
func (h *byHand) work(b testing.TB, js jetstream.JetStream, workers int, fn func(context.Context, int) (int, error)) (stop func()) {
	const ackWait = 30 * time.Second
	c := must(js.CreateConsumer(soon(b), h.name, jetstream.ConsumerConfig{
		Durable: "workers", AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxAckPending: -1,
	}))
	// With rarer heartbeats, a request that the client has not sent, since the previous
	// one seemed to be in progress, would be missed only after 30 s.
	it := must(c.Messages(jetstream.PullMaxMessages(workers), jetstream.PullExpiry(10*time.Second), jetstream.PullHeartbeat(2*time.Second)))
	var wg sync.WaitGroup
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
	for range workers {
		wg.Go(func() {
			for m := range messages {
				alive := time.AfterFunc(ackWait/3, func() { m.InProgress() })
				var task int
				if err := json.Unmarshal(m.Data(), &task); err != nil {
					m.TermWithReason(err.Error())
					continue
				}
				v, err := fn(context.Background(), task)
				alive.Stop()
				if err != nil {
					m.NakWithDelay(time.Second)
					continue
				}
				if reply := m.Headers().Get("Reply"); reply != "" {
					js.Conn().Publish(reply, must(json.Marshal(v)))
				}
				if err := m.DoubleAck(context.Background()); err != nil {
					b.Error(err)
				}
			}
		})
	}
	return func() {
		it.Stop()
		wg.Wait()
	}
}
