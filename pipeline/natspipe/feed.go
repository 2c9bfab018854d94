package natspipe

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// pullExpiry is how long the server keeps a request for messages, and pullHeartbeat
	// how often it gives a sign of that: a lost request is noticed after two of them.
	pullExpiry    = 10 * time.Second
	pullHeartbeat = 2 * time.Second
	// surveyEvery is how often the consumers are looked at.
	surveyEvery = 5 * time.Second
	// maxCall bounds calls to the server that have no context of a caller.
	maxCall = 5 * time.Second
	// retryPause is the pause between attempts.
	retryPause = 250 * time.Millisecond
)

// A feed is a Source without its type.
//
// Data: held has every message that was delivered to this process and has not been
// settled, guarded by mu; queue has those among them that the source has not yielded. No
// I/O and no code of the user runs under mu.
//
// Goroutines: each lane has a pull, which takes messages as soon as they are there, so that
// each is held, and kept by signs of life, from its arrival. All reads queue, envelopes call
// settle from wherever they end, and there is one goroutine for the signs of life and one for
// the surveys. Only the pulls, survey and storeDeadLetter wait for replies of the server.
type feed struct {
	options
	js     jetstream.JetStream
	nc     *nats.Conn
	stream string
	name   string
	lanes  []*lane
	queue  chan *delivery
	room   chan struct{} // of capacity 1: half a window is free

	open       context.Context // until close; shut ends it
	shut       context.CancelFunc
	taking     context.Context // while messages are taken; stop ends it
	stop       context.CancelFunc
	pulls      sync.WaitGroup
	background sync.WaitGroup

	mu     sync.Mutex
	used   bool                 // by a run
	held   map[uint64]*delivery // by their numbers in the stream
	born   time.Time            // when the stream was created
	counts SourceStats
	ends   [handedBack + 1]uint64 // of deliveries, by their outcomes
}

// A lane is a consumer: one for all messages, or one for each partition.
type lane struct {
	consumer string
	filter   string

	// Guarded by feed.mu.
	handle jetstream.Consumer
	floor  uint64 // all messages up to it are acknowledged
}

// start begins to take messages, once.
func (f *feed) start() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open.Err() != nil {
		return ErrClosed
	}
	if f.used {
		return ErrUsed
	}
	f.used = true
	interval := f.ackWait / 3
	f.background.Go(func() { every(f.open, interval, f.giveSigns) })
	f.background.Go(func() { every(f.taking, surveyEvery, func() { f.survey(f.lanes...) }) })
	for _, l := range f.lanes {
		f.pulls.Go(func() { f.pull(l) })
	}
	return nil
}

// every calls fn at intervals until ctx ends.
func every(ctx context.Context, interval time.Duration, fn func()) {
	for tick := time.Tick(interval); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			fn()
		}
	}
}

// end returns when no more messages are taken, and hands back those that the source has
// not yielded.
func (f *feed) end() {
	f.stop()
	f.pulls.Wait()
	for {
		select {
		case d := <-f.queue:
			d.settle(handedBack, nil)
		default:
			return
		}
	}
}

// close ends the feed and hands back what is left.
func (f *feed) close() {
	f.end()
	var left []*delivery
	f.mu.Lock()
	f.shut()
	for _, d := range f.held {
		if d.left > 0 { // otherwise storeDeadLetter has it
			d.left = 1
			left = append(left, d)
		}
	}
	f.mu.Unlock()
	for _, d := range left {
		d.settle(handedBack, nil)
	}
	f.background.Wait()
	if f.nc.Status() == nats.CONNECTED {
		_ = f.nc.FlushTimeout(maxCall) // on failure the server delivers the messages again
	}
}

// pull takes messages of a lane, half a window at once when there is room for them.
// Messages that the client had in advance would get no signs of life.
func (f *feed) pull(l *lane) {
	for f.taking.Err() == nil {
		f.mu.Lock()
		held, handle := len(f.held), l.handle
		f.mu.Unlock()
		if held > f.window/2 {
			f.sleep()
			continue
		}
		err := f.take(l, handle, (f.window+1)/2)
		if f.nc.IsClosed() {
			f.stop()
		} else if err != nil {
			f.tell(fmt.Errorf("natspipe: consumer %q of stream %q: %w", l.consumer, f.stream, err))
			f.survey(l)
			f.sleep()
		}
	}
}

// take takes at most n messages. Once the feed is stopped, it takes those that are on
// their way, to hand them back.
func (f *feed) take(l *lane, c jetstream.Consumer, n int) error {
	it, err := c.Messages(jetstream.PullMaxMessages(n), jetstream.StopAfter(n), jetstream.PullExpiry(pullExpiry), jetstream.PullHeartbeat(pullHeartbeat))
	if err != nil {
		return err
	}
	defer it.Stop()
	patient, hurry := context.WithCancel(context.Background())
	defer hurry()
	defer context.AfterFunc(f.taking, func() {
		it.Drain()
		time.AfterFunc(maxCall, hurry) // the server may be away
	})()
	for {
		m, err := it.Next(jetstream.NextContext(patient))
		switch {
		case err == nil:
			f.arrive(m)
		case errors.Is(err, jetstream.ErrNoHeartbeat): // Next asks again
		case errors.Is(err, jetstream.ErrMsgIteratorClosed), patient.Err() != nil:
			return nil
		default:
			return err
		}
	}
}

// arrive holds and queues a message.
func (f *feed) arrive(m jetstream.Msg) {
	meta, err := m.Metadata()
	if err != nil {
		f.tell(fmt.Errorf("natspipe: a message that is no delivery: %w", err))
		return
	}
	d := &delivery{
		feed: f, seq: meta.Sequence.Stream, stored: meta.Timestamp, delivered: int(meta.NumDelivered),
		header: m.Headers(), data: m.Data(), msg: m, left: 1,
	}
	d.root.of, d.root.id = []*delivery{d}, d.id
	f.mu.Lock()
	f.counts.Delivered++
	if d.delivered > 1 {
		f.counts.Redelivered++
	}
	if have := f.held[d.seq]; have != nil && have.stored.Equal(d.stored) {
		f.counts.Spared++
		have.msg = m
		f.mu.Unlock()
		return
	}
	f.held[d.seq] = d
	f.mu.Unlock()
	select {
	case f.queue <- d:
	case <-f.taking.Done():
		d.settle(handedBack, nil)
	}
}

// giveSigns gives a sign of life for each message that is held.
func (f *feed) giveSigns() {
	if f.nc.Status() != nats.CONNECTED {
		return // the client would buffer the signs, and there may be many
	}
	var all []jetstream.Msg
	f.mu.Lock()
	for _, d := range f.held {
		all = append(all, d.msg)
	}
	f.mu.Unlock()
	for _, m := range all {
		if err := m.InProgress(); !errors.Is(err, jetstream.ErrMsgAlreadyAckd) { // settled meanwhile
			f.tell(err)
		}
	}
}

// survey looks up to which message consumers are acknowledged, and makes those again that
// are gone.
func (f *feed) survey(lanes ...*lane) {
	for _, l := range lanes {
		ctx, cancel := context.WithTimeout(f.taking, maxCall)
		if err := f.makeConsumer(ctx, l); err != nil && f.taking.Err() == nil {
			f.tell(fmt.Errorf("natspipe: %w", err))
		}
		cancel()
	}
}

// sleep waits for room, a moment, or until no more messages are taken.
func (f *feed) sleep() {
	select {
	case <-f.room:
	case <-time.After(retryPause):
	case <-f.taking.Done():
	}
}

// tell calls the error handler with an error that does not belong to a message.
func (f *feed) tell(err error) {
	if err != nil {
		f.onError(err)
	}
}
