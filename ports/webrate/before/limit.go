// Package before is the rate limiter with a bucket of x/time/rate for each source, or a
// script on Redis.
package before

import (
	"container/heap"
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"

	"github.com/tandemgo/tandem/ports/webrate"
)

// A store reserves a request of a source. It returns how long that has to wait, or nil if it
// can't be had; if it is longer than maxDelay, nothing is reserved.
type store interface {
	reserve(ctx context.Context, source string) (*time.Duration, error)
}

type handler struct {
	cfg   webrate.Config
	next  http.Handler
	store store
}

// New returns the middleware of a router, which serves the requests that the limit grants.
func New(next http.Handler, cfg webrate.Config) (http.Handler, error) {
	if cfg.Period <= 0 {
		return nil, fmt.Errorf("webrate: period %v", cfg.Period)
	}
	limit := rate.Inf
	if cfg.Average > 0 {
		limit = rate.Limit(float64(cfg.Average) / cfg.Period.Seconds())
	}
	ttl := time.Second // how long a source is kept that makes no requests
	switch {
	case limit >= 1:
		ttl += time.Second
	case limit > 0:
		ttl += time.Duration(1/limit) * time.Second
	}
	burst := max(cfg.Burst, 1)
	h := &handler{cfg: cfg, next: next}
	if cfg.Redis != nil {
		h.store = &onRedis{cfg.Redis, cfg.Name, limit, burst, cfg.MaxDelay(), ttl}
	} else {
		h.store = &inMemory{limit: limit, burst: int(burst), maxDelay: cfg.MaxDelay(), buckets: newTTLMap(webrate.MaxSources, ttl)}
	}
	return h, nil
}

// ServeHTTP serves a request, denies it, or lets it wait.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	source, err := h.cfg.Source(r)
	if err != nil {
		http.Error(w, "could not extract the source of the request", http.StatusInternalServerError)
		return
	}
	delay, err := h.store.reserve(r.Context(), source)
	if err != nil {
		http.Error(w, "could not update the bucket", http.StatusInternalServerError)
		return
	}
	if delay == nil {
		http.Error(w, "no bursts allowed", http.StatusTooManyRequests)
		return
	}
	if *delay > h.cfg.MaxDelay() {
		w.Header().Set("Retry-After", fmt.Sprintf("%.0f", math.Ceil(delay.Seconds())))
		w.Header().Set("X-Retry-In", delay.String())
		http.Error(w, http.StatusText(http.StatusTooManyRequests), http.StatusTooManyRequests)
		return
	}
	select {
	case <-time.After(*delay):
	case <-r.Context().Done():
		http.Error(w, "context canceled", http.StatusInternalServerError)
		return
	}
	h.next.ServeHTTP(w, r)
}

type inMemory struct {
	limit    rate.Limit
	burst    int
	maxDelay time.Duration
	buckets  *ttlMap
}

func (m *inMemory) reserve(_ context.Context, source string) (*time.Duration, error) {
	bucket := m.buckets.get(source, func() *rate.Limiter { return rate.NewLimiter(m.limit, m.burst) })
	r := bucket.Reserve()
	if !r.OK() {
		return nil, nil
	}
	delay := r.Delay()
	if delay > m.maxDelay {
		r.Cancel()
	}
	return &delay, nil
}

// A ttlMap has buckets until they have not been used for a time.
type ttlMap struct {
	mu      sync.Mutex
	max     int
	ttl     time.Duration
	entries map[string]*entry
	queue   expiries
}

type entry struct {
	source  string
	bucket  *rate.Limiter
	expires time.Time
	index   int
}

func newTTLMap(size int, ttl time.Duration) *ttlMap {
	return &ttlMap{max: size, ttl: ttl, entries: map[string]*entry{}}
}

func (m *ttlMap) get(source string, make func() *rate.Limiter) *rate.Limiter {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	e, ok := m.entries[source]
	if ok && now.Before(e.expires) {
		e.expires = now.Add(m.ttl)
		heap.Fix(&m.queue, e.index)
		return e.bucket
	}
	for len(m.queue) > 0 && (len(m.queue) >= m.max || !now.Before(m.queue[0].expires)) {
		delete(m.entries, heap.Pop(&m.queue).(*entry).source)
	}
	e = &entry{source: source, bucket: make(), expires: now.Add(m.ttl)}
	m.entries[source] = e
	heap.Push(&m.queue, e)
	return e.bucket
}

// expiries is a heap of entries, with the one that expires first in front.
type expiries []*entry

func (x expiries) Len() int           { return len(x) }
func (x expiries) Less(i, j int) bool { return x[i].expires.Before(x[j].expires) }
func (x *expiries) Push(e any)        { e.(*entry).index = len(*x); *x = append(*x, e.(*entry)) }
func (x expiries) Swap(i, j int) {
	x[i], x[j] = x[j], x[i]
	x[i].index, x[j].index = i, j
}

func (x *expiries) Pop() any {
	last := (*x)[len(*x)-1]
	(*x)[len(*x)-1] = nil
	*x = (*x)[:len(*x)-1]
	return last
}

type onRedis struct {
	client   redis.UniversalClient
	name     string
	limit    rate.Limit
	burst    int64
	maxDelay time.Duration
	ttl      time.Duration
}

// script fills the bucket of a source for the time since it was used last, takes a token if
// the wait for it is not too long, and returns that wait, in microseconds.
var script = redis.NewScript(`
local rate, burst, ttl = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now, max_delay = tonumber(ARGV[4]), tonumber(ARGV[5])
local state = redis.call('HMGET', KEYS[1], 'last', 'tokens')
local last, tokens = tonumber(state[1] or now), tonumber(state[2] or burst)
if now < last then
    last = now
end
tokens = math.min(tokens + rate * (now - last), burst) - 1
local wait = 0
if tokens < 0 then
    wait = -tokens / rate
    if wait > max_delay then
        tokens = math.min(tokens + 1, burst)
    end
end
redis.call('HSET', KEYS[1], 'last', now, 'tokens', tostring(tokens))
redis.call('EXPIRE', KEYS[1], ttl)
return tostring(wait)
`)

func (s *onRedis) reserve(ctx context.Context, source string) (*time.Duration, error) {
	if s.limit == rate.Inf {
		return nil, nil
	}
	text, err := script.Run(ctx, s.client, []string{"rate:" + s.name + ":" + source},
		float64(s.limit)/1e6, s.burst, int(s.ttl.Seconds()), time.Now().UnixMicro(), s.maxDelay.Microseconds()).Text()
	if err != nil {
		return nil, err
	}
	wait, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, err
	}
	delay := time.Duration(wait * float64(time.Microsecond))
	return &delay, nil
}
