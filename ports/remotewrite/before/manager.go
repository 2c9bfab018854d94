// Package before is the queue manager on channels, locks and goroutines of its own.
package before

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandemgo/tandem/ports/remotewrite"
)

// A Manager sends samples to a server, in requests of many. Those of one series stay in
// order.
type Manager struct {
	cfg    remotewrite.Config
	send   remotewrite.Send
	shards *shards

	resharding chan int
	quit       chan struct{}
	wg         sync.WaitGroup

	numShards         atomic.Int64
	in, out, sendTime atomic.Int64 // since the last look at them
	pending           atomic.Int64
	lastSend          atomic.Int64 // in Unix nanoseconds
	sent, dropped     atomic.Int64
}

// New starts a manager with the least number of shards.
func New(cfg remotewrite.Config, send remotewrite.Send) *Manager {
	m := &Manager{cfg: cfg, send: send, resharding: make(chan int), quit: make(chan struct{})}
	m.shards = &shards{m: m}
	m.numShards.Store(int64(cfg.MinShards))
	m.shards.start(cfg.MinShards)
	m.wg.Go(m.updateLoop)
	m.wg.Go(m.reshardLoop)
	return m
}

// Append takes samples, and waits while the shard of one is full. One goroutine may call
// it. It returns false once the manager is stopped.
func (m *Manager) Append(samples []remotewrite.Sample) bool {
	for _, s := range samples {
		for backoff := m.cfg.MinBackoff; !m.shards.enqueue(s); backoff = min(2*backoff, m.cfg.MaxBackoff) {
			select {
			case <-m.quit:
				return false
			case <-time.After(backoff):
			}
		}
	}
	return true
}

// Stats returns the figures.
func (m *Manager) Stats() remotewrite.Stats {
	return remotewrite.Stats{Shards: int(m.numShards.Load()), Sent: m.sent.Load(), Dropped: m.dropped.Load()}
}

// Stop sends the samples that wait, until the flush deadline, and drops the rest.
func (m *Manager) Stop() {
	close(m.quit)
	m.wg.Wait()
	m.shards.stop()
}

func (m *Manager) updateLoop() {
	ticker := time.NewTicker(remotewrite.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			n := m.desiredShards()
			if !m.shouldReshard(n) {
				continue
			}
			select {
			case m.resharding <- n:
				m.numShards.Store(int64(n))
			default: // the last one is not done
			}
		case <-m.quit:
			return
		}
	}
}

func (m *Manager) reshardLoop() {
	for {
		select {
		case n := <-m.resharding:
			m.shards.stop()
			m.shards.start(n)
		case <-m.quit:
			return
		}
	}
}

// desiredShards returns how many shards send as much as comes in, and a twentieth of the
// backlog each second.
func (m *Manager) desiredShards() int {
	seconds := remotewrite.Interval.Seconds()
	in, out := float64(m.in.Swap(0))/seconds, float64(m.out.Swap(0))/seconds
	busy := time.Duration(m.sendTime.Swap(0)).Seconds() / seconds
	now := int(m.numShards.Load())
	if out <= 0 {
		return now
	}
	desired := math.Ceil(busy / out * (in + 0.05*float64(m.pending.Load())))
	if 0.7*float64(now) <= desired && desired <= 1.3*float64(now) {
		return now
	}
	return min(max(int(desired), m.cfg.MinShards), m.cfg.MaxShards)
}

// shouldReshard reports whether there are to be n shards now. While nothing can be sent,
// another number does not help.
func (m *Manager) shouldReshard(n int) bool {
	return n != int(m.numShards.Load()) && time.Since(time.Unix(0, m.lastSend.Load())) <= 2*m.cfg.BatchAge
}

// shards are the queues between two changes of their number.
type shards struct {
	m *Manager

	mu       sync.RWMutex
	queues   []*queue
	stopping chan struct{}
	abort    context.CancelFunc
	running  atomic.Int64
	done     chan struct{}
}

func (s *shards) start(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queues = make([]*queue, n)
	s.stopping, s.done = make(chan struct{}), make(chan struct{})
	s.running.Store(int64(n))
	var ctx context.Context
	ctx, s.abort = context.WithCancel(context.Background())
	for i := range s.queues {
		s.queues[i] = newQueue(s.m.cfg.BatchSize, s.m.cfg.Capacity)
		go s.run(ctx, s.queues[i])
	}
}

// stop lets the queues be sent, until the flush deadline. No sample is enqueued meanwhile,
// so that those of a series stay in order.
func (s *shards) stop() {
	close(s.stopping)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queues {
		go q.flush(s.done)
	}
	defer s.abort()
	select {
	case <-s.done:
		return
	case <-time.After(s.m.cfg.FlushDeadline):
	}
	s.abort()
	<-s.done
	s.m.dropped.Add(s.m.pending.Swap(0))
}

// enqueue returns false if the sample can't be taken now.
func (s *shards) enqueue(sample remotewrite.Sample) bool {
	if !s.mu.TryRLock() {
		return false
	}
	defer s.mu.RUnlock()
	select {
	case <-s.stopping:
		return false
	default:
	}
	if !s.queues[sample.Series%uint64(len(s.queues))].add(sample, s.stopping) {
		return false
	}
	s.m.in.Add(1)
	s.m.pending.Add(1)
	return true
}

func (s *shards) run(ctx context.Context, q *queue) {
	defer func() {
		if s.running.Add(-1) == 0 {
			close(s.done)
		}
	}()
	timer := time.NewTimer(s.m.cfg.BatchAge)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case batch, ok := <-q.full:
			if !ok {
				return
			}
			s.sendBatch(ctx, batch)
			q.reuse(batch)
		case <-timer.C:
			batch := q.take()
			if len(batch) > 0 {
				s.sendBatch(ctx, batch)
			}
			q.reuse(batch)
		}
		timer.Reset(s.m.cfg.BatchAge)
	}
}

func (s *shards) sendBatch(ctx context.Context, batch []remotewrite.Sample) {
	start, n := time.Now(), int64(len(batch))
	if err := s.sendWithBackoff(ctx, batch); err != nil {
		s.m.dropped.Add(n)
	} else {
		s.m.sent.Add(n)
	}
	s.m.pending.Add(-n)
	s.m.out.Add(n)
	s.m.sendTime.Add(int64(time.Since(start)))
	s.m.lastSend.Store(time.Now().UnixNano())
}

func (s *shards) sendWithBackoff(ctx context.Context, batch []remotewrite.Sample) error {
	for backoff := s.m.cfg.MinBackoff; ; backoff = min(2*backoff, s.m.cfg.MaxBackoff) {
		err := s.m.send(ctx, batch)
		if err == nil || !errors.Is(err, remotewrite.ErrRecoverable) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(backoff):
		}
	}
}

// A queue is a batch that is being filled, and full ones.
type queue struct {
	full chan []remotewrite.Sample

	mu      sync.Mutex
	partial []remotewrite.Sample

	spareMu sync.Mutex
	spare   [][]remotewrite.Sample
}

func newQueue(batchSize, capacity int) *queue {
	n := max(1, capacity/batchSize)
	return &queue{
		full:    make(chan []remotewrite.Sample, n),
		partial: make([]remotewrite.Sample, 0, batchSize),
		spare:   make([][]remotewrite.Sample, 0, n+1),
	}
}

// add waits while the queue is full. It returns false if stopping is closed meanwhile.
func (q *queue) add(sample remotewrite.Sample, stopping <-chan struct{}) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.partial = append(q.partial, sample)
	if len(q.partial) < cap(q.partial) {
		return true
	}
	select {
	case q.full <- q.partial:
		q.partial = q.newBatch(cap(q.partial))
		return true
	case <-stopping:
		q.partial = q.partial[:len(q.partial)-1]
		return false
	}
}

// take returns a full batch, or else the one that is being filled.
func (q *queue) take() []remotewrite.Sample {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case batch := <-q.full:
		return batch
	default:
		batch := q.partial
		q.partial = q.newBatch(cap(batch))
		return batch
	}
}

// flush puts the last batch behind the full ones, and closes the queue.
func (q *queue) flush(done <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.partial) > 0 {
		select {
		case q.full <- q.partial:
		case <-done:
		}
	}
	q.partial = nil
	close(q.full)
}

func (q *queue) newBatch(size int) []remotewrite.Sample {
	q.spareMu.Lock()
	defer q.spareMu.Unlock()
	if n := len(q.spare); n > 0 {
		batch := q.spare[n-1]
		q.spare = q.spare[:n-1]
		return batch
	}
	return make([]remotewrite.Sample, 0, size)
}

func (q *queue) reuse(batch []remotewrite.Sample) {
	q.spareMu.Lock()
	defer q.spareMu.Unlock()
	if cap(batch) > 0 && len(q.spare) < cap(q.spare) {
		q.spare = append(q.spare, batch[:0])
	}
}
