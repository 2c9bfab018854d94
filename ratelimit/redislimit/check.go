package redislimit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tandemgo/tandem/ratelimit"
)

// Check reports whether the limiter can rely on Redis. Call it when a program starts: New
// does not ask Redis. It returns an error that wraps [ErrEvicts] if a server may evict
// keys to make room for others, and their debts with them, or one that wraps
// [ErrUnavailable] if a server does not answer, or does not run the script of the limiter:
// its user may not, or the parent is in another slot of a cluster than the prefix. Of a
// cluster or a ring it asks all servers for their settings, and nothing is wrong with one
// that does not tell them, as some that are managed do not. It takes no permits and is not
// counted by Stats. Each server has as long as [WithTimeout] says. If ctx ends first, it
// returns the cause of ctx. It panics if ctx is nil.
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
	if err == nil && evicts == nil {
		err = l.tryScript(ctx)
	}
	switch {
	case evicts != nil:
		return evicts
	case err == nil, errors.Is(err, ErrForeign):
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return unavailable(err)
}

// tryScript asks for more than there can be at a key that is never used, and at the parent: it is denied,
// and nothing is stored.
func (l *Limiter[K]) tryScript(ctx context.Context) error {
	call, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	p := newLimits("Check", []ratelimit.Window{{Rate: ratelimit.Per(1, time.Second), Burst: 1}}, l.parent)
	_, err := l.call(call, "\x00", p, p.request(claim{n: 1 << 62}, 0))
	return err
}
