package integration

import (
	_ "github.com/go-redis/redis_rate/v10"
	_ "github.com/google/go-cmp/cmp"
	_ "github.com/nats-io/nats-server/v2/server"
	_ "github.com/nats-io/nats.go/jetstream"
	_ "github.com/redis/go-redis/v9"
	_ "go.uber.org/goleak"

	_ "github.com/tandemgo/tandem/broadcast/natscast"
	_ "github.com/tandemgo/tandem/pool/natspool"
	_ "github.com/tandemgo/tandem/ratelimit/redislimit"
)
