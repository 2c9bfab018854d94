// Package remotewrite has the types that both shapes of the queue manager share: samples, settings
// and the way to a server.
package remotewrite

import (
	"context"
	"errors"
	"time"
)

// A Sample is a value of a series.
type Sample struct {
	Series uint64
	Time   int64
	Value  float64
}

// A Config sets the bounds of a queue manager.
type Config struct {
	Capacity      int           // samples that wait in front of a shard
	BatchSize     int           // samples of one request
	BatchAge      time.Duration // after it a batch is sent that is not full
	MinShards     int           // requests at once, at least
	MaxShards     int           // and at most
	MinBackoff    time.Duration // the pause before a request is repeated, doubled each time
	MaxBackoff    time.Duration
	FlushDeadline time.Duration // Stop gives up the samples that are not sent by then
}

// Interval is how often the number of shards is adapted.
const Interval = 10 * time.Second

// ErrRecoverable is matched by errors after which a request is repeated.
var ErrRecoverable = errors.New("remotewrite: try again")

// A Send sends one request. It does not keep batch.
type Send func(ctx context.Context, batch []Sample) error

// Stats are the figures of a queue manager.
type Stats struct {
	Shards        int
	Sent, Dropped int64 // samples
}
