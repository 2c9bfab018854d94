package redislimit_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/redislimit"
)

// A spy records the commands of a client.
type spy struct {
	mu   sync.Mutex
	cmds [][]any
}

func (s *spy) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s *spy) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (s *spy) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		s.mu.Lock()
		s.cmds = append(s.cmds, cmd.Args())
		s.mu.Unlock()
		return next(ctx, cmd)
	}
}

// Each call is a script of one key, or of one key and its parent, so a cluster has all
// its keys in one slot; and the calls work on a cluster.
func TestOneKeyACall(t *testing.T) {
	t.Parallel()
	s, straight := server(t, "--cluster-enabled", "yes")
	ctx := context.Background()
	if err := straight.Do(ctx, "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	until(t, "the cluster is ready", func() bool {
		info, err := straight.ClusterInfo(ctx).Result()
		return err == nil && strings.Contains(info, "cluster_state:ok")
	})
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{s.Addr()}, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	watch := &spy{}
	client.AddHook(watch)
	opts := []redislimit.Option{
		redislimit.WithTimeout(patient), redislimit.WithFailurePolicy(redislimit.FailClosed),
		redislimit.WithWindow(ratelimit.Per(7, time.Hour), 5), redislimit.WithWindow(ratelimit.Unlimited, 3),
	}
	plain := redislimit.New[string](client, ratelimit.Every(time.Hour), 4, opts...)
	leased := redislimit.New[string](client, ratelimit.Every(time.Hour), 4, append(opts, redislimit.WithLease(3, time.Hour), redislimit.WithPrefix("lease:"))...)
	keys := []string{"a", "b", "{a}b", "c}{", ""}
	for _, l := range []*redislimit.Limiter[string]{plain, leased} {
		for _, k := range keys {
			for i := range 6 {
				if d := take(t, l, k, 1); d.OK != (i < 4) {
					t.Errorf("%q, %d: %+v", k, i, d)
				}
			}
		}
	}
	if err := plain.Forget(ctx, "a"); err != nil || !take(t, plain, "a", 1).OK {
		t.Errorf("forgotten: %v", err)
	}
	// A parent is in the slot of its keys, by a hash tag, and in the same call.
	single := len(watch.cmds)
	child := redislimit.New[string](client, ratelimit.Every(time.Hour), 2, redislimit.WithTimeout(patient), redislimit.WithFailurePolicy(redislimit.FailClosed),
		redislimit.WithPrefix("{p}"), redislimit.WithParent("{p}all", ratelimit.Window{Rate: ratelimit.Every(time.Hour), Burst: 3}))
	for i, k := range []string{"a", "a", "a", "b", "b"} {
		if d := take(t, child, k, 1); d.OK != (i != 2 && i != 4) {
			t.Errorf("%d, %q: %+v", i, k, d)
		}
	}
	for _, args := range watch.cmds[single:] {
		if (args[0] == "evalsha" || args[0] == "eval") && args[2] != 2 {
			t.Errorf("a script of %v keys", args[2])
		}
	}
	watch.cmds = watch.cmds[:single]
	scripts := 0
	for _, args := range watch.cmds {
		switch name := args[0].(string); name {
		case "evalsha", "eval":
			if scripts++; args[2] != 1 {
				t.Errorf("a script of %v keys", args[2])
			}
		case "del":
			if len(args) != 2 {
				t.Errorf("%v", args)
			}
		}
	}
	if scripts < len(keys)*6 {
		t.Errorf("%d scripts", scripts)
	}
}
