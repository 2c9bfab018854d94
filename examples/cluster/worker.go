package main

import (
	"context"
	"runtime"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"

	"github.com/tandemgo/tandem/broadcast/natscast"
	"github.com/tandemgo/tandem/pool/natspool"
	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/redislimit"
)

// What all processes agree on.
const (
	queue    = "cluster-tiles"
	subject  = "cluster.progress"
	limitKey = "cluster-tiles"
	// A worker that is killed holds its tiles that long.
	ackWait = 2 * time.Second
)

// A progress is what a worker tells everybody.
type progress struct {
	Worker string
	Tile   tile
	Again  bool // somebody had begun it before
}

// connect connects to NATS, and stays so, as far as it goes.
func connect(c config) (*nats.Conn, jetstream.JetStream, error) {
	nc, err := nats.Connect(c.nats, nats.MaxReconnects(-1))
	if err != nil {
		return nil, nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return nc, js, nil
}

// work draws tiles until ctx ends, and then finishes those that it has begun.
func work(ctx context.Context, c config) error {
	nc, js, err := connect(c)
	if err != nil {
		return err
	}
	defer nc.Close()
	client := redis.NewClient(&redis.Options{Addr: c.redis, ContextTimeoutEnabled: true})
	defer client.Close()
	// Where Redis does not answer, each of the workers has its share.
	limit := redislimit.New[string](client, ratelimit.Per(c.rate, time.Second), 1,
		redislimit.WithReplicas(max(1, c.start)))
	live, err := natscast.New[progress](nc, subject)
	if err != nil {
		return err
	}
	defer live.Close()

	draw := func(ctx context.Context, t tile) (drawing, error) {
		if err := limit.Wait(ctx, limitKey); err != nil {
			return drawing{}, err
		}
		pix := t.draw()
		attempt, _ := natspool.Attempt(ctx)
		// Nobody may be looking; that is no reason to draw it again.
		_ = live.Send(ctx, progress{Worker: c.name, Tile: t, Again: attempt > 1})
		return drawing{c.name, pix}, nil
	}
	p, err := natspool.New(ctx, js, queue, runtime.GOMAXPROCS(0), draw, natspool.WithAckWait(ackWait))
	if err != nil {
		return err
	}
	<-ctx.Done()
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return p.Shutdown(grace)
}
