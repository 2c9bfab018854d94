package main

import (
	"math"
	"runtime/metrics"
	"time"
)

// A Sample is a set of metrics of the process at one time.
type Sample struct {
	Time       int64   `json:"time"` // ms since 1970
	Goroutines uint64  `json:"goroutines"`
	Heap       uint64  `json:"heap"`       // bytes of objects
	AllocRate  float64 `json:"allocRate"`  // bytes a second
	GCs        uint64  `json:"gcs"`        // so far
	SchedDelay float64 `json:"schedDelay"` // s, 99th percentile of the time from runnable to running, since the last sample
}

// A sampler takes samples. Rates refer to the time since the previous sample.
type sampler struct {
	read   []metrics.Sample
	time   time.Time
	allocs uint64
	delays []uint64
}

func newSampler() *sampler {
	return &sampler{read: []metrics.Sample{
		{Name: "/sched/goroutines:goroutines"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/sched/latencies:seconds"},
	}}
}

func (s *sampler) take(now time.Time) Sample {
	metrics.Read(s.read)
	allocs := s.read[2].Value.Uint64()
	out := Sample{
		Time:       now.UnixMilli(),
		Goroutines: s.read[0].Value.Uint64(),
		Heap:       s.read[1].Value.Uint64(),
		GCs:        s.read[3].Value.Uint64(),
	}
	if since := now.Sub(s.time).Seconds(); !s.time.IsZero() && since > 0 {
		out.AllocRate = float64(allocs-s.allocs) / since
	}
	delays := s.read[4].Value.Float64Histogram()
	out.SchedDelay = s.quantile(delays, 0.99)
	s.time, s.allocs = now, allocs
	return out
}

// quantile returns the upper end of the bucket with the q-quantile of the values added
// to h since the last call.
func (s *sampler) quantile(h *metrics.Float64Histogram, q float64) float64 {
	if s.delays == nil {
		s.delays = make([]uint64, len(h.Counts))
	}
	total := uint64(0)
	for i, n := range h.Counts {
		total += n - s.delays[i]
	}
	below, at := uint64(0), 0.0
	for i, n := range h.Counts {
		if below += n - s.delays[i]; total > 0 && float64(below) >= q*float64(total) {
			if at = h.Buckets[i+1]; math.IsInf(at, 1) {
				at = h.Buckets[i]
			}
			break
		}
	}
	copy(s.delays, h.Counts)
	return at
}
