// Package after is the queue manager on package pool.
package after

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/ports/remotewrite"
)

// A Manager sends samples to a server, in requests of many. Those of one series stay in
// order.
type Manager struct {
	cfg      remotewrite.Config
	send     remotewrite.Send
	lanes    []lane
	requests *pool.Pool[*lane, struct{}]
	running  context.Context
	stop     context.CancelFunc

	sent, dropped atomic.Int64
}

// A lane collects the samples of some series. Its requests are tasks of one key, so they are
// sent one after the other; each takes its batch when it starts.
type lane struct {
	mu      sync.Mutex
	full    [][]remotewrite.Sample
	partial []remotewrite.Sample
	spare   []remotewrite.Sample
	old     *time.Timer // requests the partial batch
}

// New starts a manager with the least number of shards.
func New(cfg remotewrite.Config, send remotewrite.Send) *Manager {
	m := &Manager{cfg: cfg, send: send, lanes: make([]lane, cfg.MaxShards)}
	m.running, m.stop = context.WithCancel(context.Background())
	m.requests = pool.NewOrdered(cfg.MinShards, pool.ByKey(func(l *lane) *lane { return l }), m.request,
		pool.WithQueue(cfg.MaxShards*max(1, cfg.Capacity/cfg.BatchSize)))
	for i := range m.lanes {
		m.lanes[i].old = time.AfterFunc(cfg.BatchAge, func() { m.schedule(&m.lanes[i]) })
	}
	go m.adapt()
	return m
}

// Append takes samples, and waits while the queue is full. It returns false once the manager
// is stopped.
func (m *Manager) Append(samples []remotewrite.Sample) bool {
	if m.running.Err() != nil {
		return false
	}
	for _, s := range samples {
		if l := &m.lanes[s.Series%uint64(len(m.lanes))]; m.add(l, s) && !m.schedule(l) {
			return false
		}
	}
	return true
}

// add reports whether a batch has become full.
func (m *Manager) add(l *lane, s remotewrite.Sample) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.partial == nil {
		l.partial, l.spare = slices.Grow(l.spare, m.cfg.BatchSize), nil
		l.old.Reset(m.cfg.BatchAge)
	}
	l.partial = append(l.partial, s)
	if len(l.partial) < m.cfg.BatchSize {
		return false
	}
	l.old.Stop()
	l.full, l.partial = append(l.full, l.partial), nil
	return true
}

// schedule makes a request for the next batch of l.
func (m *Manager) schedule(l *lane) bool { return m.requests.Go(context.Background(), l) == nil }

func (l *lane) take() (batch []remotewrite.Sample) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.full) == 0 {
		batch, l.partial = l.partial, nil
		return batch
	}
	batch, l.full = l.full[0], l.full[1:]
	return batch
}

func (m *Manager) request(ctx context.Context, l *lane) (none struct{}, _ error) {
	batch := l.take()
	if len(batch) == 0 {
		return none, nil
	}
	err := m.send(ctx, batch)
	for backoff := m.cfg.MinBackoff; errors.Is(err, remotewrite.ErrRecoverable); backoff = min(2*backoff, m.cfg.MaxBackoff) {
		select {
		case <-time.After(backoff):
			err = m.send(ctx, batch)
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		m.dropped.Add(int64(len(batch)))
	} else {
		m.sent.Add(int64(len(batch)))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spare = batch[:0]
	return none, nil
}

// adapt sets how many requests there may be at once to how many there were on average in
// the last interval, and wanted to be: the time that they took and waited, by the time.
func (m *Manager) adapt() {
	ticker := time.NewTicker(remotewrite.Interval)
	defer ticker.Stop()
	for last := time.Duration(0); ; {
		select {
		case <-ticker.C:
			st := m.requests.Stats()
			sum := st.RunTime.Sum() + st.QueueWait.Sum()
			desired := int(math.Ceil(float64(sum-last) / float64(remotewrite.Interval)))
			m.requests.Resize(min(max(desired, m.cfg.MinShards), m.cfg.MaxShards))
			last = sum
		case <-m.running.Done():
			return
		}
	}
}

// Stats returns the figures.
func (m *Manager) Stats() remotewrite.Stats {
	return remotewrite.Stats{Shards: m.requests.Stats().Limit, Sent: m.sent.Load(), Dropped: m.dropped.Load()}
}

// Stop sends the samples that wait, until the flush deadline, and drops the rest.
func (m *Manager) Stop() {
	m.stop()
	flush, cancel := context.WithTimeout(context.Background(), m.cfg.FlushDeadline)
	defer cancel()
	for i := range m.lanes {
		m.lanes[i].old.Stop()
		_ = m.requests.Go(flush, &m.lanes[i])
	}
	_ = m.requests.Shutdown(flush)
	_ = m.requests.Close()
	for i := range m.lanes {
		for batch := m.lanes[i].take(); batch != nil; batch = m.lanes[i].take() {
			m.dropped.Add(int64(len(batch)))
		}
	}
}
