package redisserver_test

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/tandemgo/tandem/integration/internal/redisserver"
)

func TestItStartsAgain(t *testing.T) {
	s := redisserver.Start(t)
	c := redis.NewClient(&redis.Options{Addr: s.Addr()})
	defer c.Close()
	for range 2 {
		if err := c.Ping(context.Background()).Err(); err != nil {
			t.Fatal(err)
		}
		s.Kill()
		s.Start()
	}
}
