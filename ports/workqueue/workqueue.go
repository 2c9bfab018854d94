// Package workqueue has the types that both shapes of the queue share.
package workqueue

import (
	"context"
	"errors"
	"time"
)

// A Config sets the sizes of a queue.
type Config struct {
	QueueLength int           // items that wait
	BatchLength int           // items of one call of the handler, at most
	BatchDelay  time.Duration // after it a batch is handled that is not full
	Workers     int           // calls of the handler at once
	MaxWorkers  int           // with those that are added while Push has to wait

	// How long Push waits before workers are added, and how long they stay. It is the
	// shape before that needs them.
	BlockTimeout, BoostTimeout time.Duration
}

// A Handler handles a batch, and returns the items that are to be handled later.
type Handler[T any] func(ctx context.Context, batch []T) (unhandled []T)

// Backoff is how long a batch waits of which no item was handled.
const Backoff = 5 * time.Second

// ErrClosed is returned for items that come after Shutdown.
var ErrClosed = errors.New("workqueue: closed")
