package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tandemgo/tandem/broadcast/natscast"
	"github.com/tandemgo/tandem/pool/natspool"
	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/redislimit"
)

// All processes must agree on these.
const (
	queue    = "cluster-tiles"
	subject  = "cluster.progress"
	limitKey = "cluster-tiles"
	// Tasks of a killed worker are delivered again after this time.
	ackWait = 2 * time.Second
)

// A progress is the report of a worker to all processes about a tile.
type progress struct {
	Worker string
	Tile   tile
	Again  bool // a worker had begun it before
}

// errIdle is the cause of the end of a worker that was idle for too long.
var errIdle = errors.New("nothing to do")

// work draws tiles, or counts words, until ctx ends, and then finishes what it has begun. It
// also ends when the submitter that has started it is gone, when NATS is away for too
// long, and when it is idle for too long.
func work(asked context.Context, c config, stderr io.Writer) error {
	s := &speaker{name: c.name + ": ", out: stderr}
	ctx, end := context.WithCancelCause(asked)
	defer end(nil)
	if os.Getenv(childEnv) != "" {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // until the submitter ends
			end(errors.New("the submitter is gone"))
		}()
	}
	do := c.drawTiles
	if c.words {
		do = c.countWords
	}
	err := do(ctx, s, end)
	switch cause := context.Cause(ctx); {
	case asked.Err() != nil || cause == nil:
	case cause == errIdle:
		s.say("%v for %v: ends", cause, c.idleFor)
	case err == nil || !errors.Is(err, cause):
		err = errors.Join(cause, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return nil
}

// drawTiles does the work of work. end ends ctx with a cause.
func (c config) drawTiles(ctx context.Context, s *speaker, end context.CancelCauseFunc) error {
	nc, js, err := c.connect(ctx, s, end)
	if err != nil {
		return err
	}
	defer nc.Close()
	client := redis.NewClient(&redis.Options{Addr: c.redis, ContextTimeoutEnabled: true})
	defer client.Close()
	// If Redis does not answer, each worker gets its share of the limit.
	limit := redislimit.New[string](client, ratelimit.Per(c.rate, time.Second), 1,
		redislimit.WithReplicas(max(1, c.start)))
	var live *natscast.Broadcast[progress]
	if err := c.try(ctx, s, "the NATS server", func(context.Context) (err error) {
		live, err = natscast.New[progress](nc, subject)
		return err
	}); err != nil {
		return err
	}
	defer live.Close()

	draw := func(ctx context.Context, t tile) (drawing, error) {
		if err := limit.Wait(ctx, limitKey); err != nil {
			return drawing{}, err
		}
		pix := t.draw()
		attempt, _ := natspool.Attempt(ctx)
		// A failed report is no reason to draw the tile again.
		_ = live.Send(ctx, progress{Worker: c.name, Tile: t, Again: attempt > 1})
		return drawing{c.name, pix}, nil
	}
	var p *natspool.Pool[tile, drawing]
	if err := c.try(ctx, s, "JetStream", func(ctx context.Context) (err error) {
		p, err = natspool.New(ctx, js, queue, runtime.GOMAXPROCS(0), draw, natspool.WithAckWait(ackWait))
		return err
	}); err != nil {
		return err
	}
	c.idle(ctx, p, s, end)
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return p.Shutdown(grace)
}

// idle waits until ctx ends, or until the pool was idle for too long, and prints that
// it waits.
func (c config) idle(ctx context.Context, p *natspool.Pool[tile, drawing], s *speaker, end context.CancelCauseFunc) {
	every := min(10*time.Second, c.idleFor)
	t := time.NewTicker(every)
	defer t.Stop()
	last, since := uint64(0), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		switch now := p.Stats(); {
		case now.Running > 0 || now.Completed > last:
			last, since = now.Completed, time.Now()
		case time.Since(since) >= c.idleFor:
			end(errIdle)
			return
		default:
			s.say("waiting for tiles, for %v at most", c.idleFor)
		}
	}
}
