package main

import (
	_ "github.com/nats-io/nats-server/v2/server"
	_ "github.com/redis/go-redis/v9"

	_ "github.com/tandemgo/tandem/broadcast/natscast"
	_ "github.com/tandemgo/tandem/pool/natspool"
	_ "github.com/tandemgo/tandem/ratelimit/redislimit"
)

func main() {}
