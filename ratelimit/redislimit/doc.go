// Package redislimit limits rates by key across machines, on a Redis server.
package redislimit

import (
	_ "github.com/redis/go-redis/v9"

	_ "github.com/tandemgo/tandem/ratelimit"
)
