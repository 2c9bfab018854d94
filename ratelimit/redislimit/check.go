package redislimit

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Check reports whether the limiter can rely on Redis. Call it when a program starts: New
// does not ask Redis. It returns an error that wraps [ErrEvicts] if a server may evict
// keys to make room for others, and their debts with them, or one that wraps
// [ErrUnavailable] if a server does not answer. Of a cluster or a ring it asks all servers.
// It returns nil where a server does not tell its settings, as some that are managed do
// not. It takes no permits and is not counted by Stats. Each server has as long as
// [WithTimeout] says. If ctx ends first, it returns the cause of ctx. It panics if ctx is
// nil.
func (l *Limiter[K]) Check(ctx context.Context) error {
	if err := l.begin(ctx, "Check", 0, 0); err != nil {
		return err
	}
	var mu sync.Mutex // servers of a cluster are asked at the same time
	var evicts error
	check := func(_ context.Context, client *redis.Client) error {
		call, cancel := context.WithTimeout(ctx, l.timeout)
		defer cancel()
		info, err := client.Info(call, "memory").Result()
		if err != nil {
			if redis.HasErrorPrefix(err, "NOPERM") || redis.HasErrorPrefix(err, "ERR unknown command") {
				return nil
			}
			return err
		}
		memory := map[string]string{}
		for line := range strings.Lines(info) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			memory[name] = value
		}
		policy, limit := memory["maxmemory_policy"], memory["maxmemory"]
		if policy == "" || policy == "noeviction" || limit == "0" {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		evicts = fmt.Errorf("%w: maxmemory-policy is %s, must be noeviction", ErrEvicts, policy)
		return nil
	}
	var err error
	switch c := l.client.(type) {
	case *redis.Client:
		err = check(ctx, c)
	case *redis.ClusterClient:
		err = c.ForEachMaster(ctx, check)
	case *redis.Ring:
		err = c.ForEachShard(ctx, check)
	}
	switch {
	case evicts != nil:
		return evicts
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return unavailable(err)
}
