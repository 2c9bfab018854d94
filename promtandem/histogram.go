package promtandem

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/tandemgo/tandem/pool"
)

// Bounds of classic buckets: the powers of 4 among the bounds of a pool.Histogram, so that
// their counts are exact.
var bounds = func() (all []time.Duration) {
	for d := time.Duration(1 << 10); d <= 1<<44; d *= 4 {
		all = append(all, d)
	}
	return all
}()

// schema is that of native histograms: a bucket is 2^(1/4) times as wide as the one before.
const schema = 2

// A histogram is a metric that is both classic and native.
type histogram struct {
	prometheus.Metric // the native part
	classic           []*dto.Bucket
}

func newHistogram(desc *prometheus.Desc, h pool.Histogram) prometheus.Metric {
	native := map[int]int64{}
	classic := make([]*dto.Bucket, len(bounds))
	next, below, zero := 0, uint64(0), uint64(0)
	fill := func(until time.Duration) {
		for ; next < len(bounds) && bounds[next] < until; next++ {
			classic[next] = &dto.Bucket{CumulativeCount: new(below), UpperBound: new(bounds[next].Seconds())}
		}
	}
	for d, n := range h.All() {
		fill(d)
		below += n
		middle := time.Duration(float64(d) * 0.9) // the bucket is up to 25 % wide
		if middle <= 0 {
			zero += n
			continue
		}
		native[int(math.Ceil(math.Log2(middle.Seconds())*(1<<schema)))] += int64(n)
	}
	fill(math.MaxInt64)
	m, err := prometheus.NewConstNativeHistogram(desc, h.Count(), h.Sum().Seconds(), native, nil, zero, schema, 1e-9, time.Time{})
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return &histogram{m, classic}
}

// Write writes both parts.
func (h *histogram) Write(to *dto.Metric) error {
	if err := h.Metric.Write(to); err != nil {
		return err
	}
	to.Histogram.Bucket = h.classic
	to.Histogram.CreatedTimestamp = nil // Stats does not know it
	return nil
}
