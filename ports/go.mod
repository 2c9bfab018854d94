module github.com/tandemgo/tandem/ports

go 1.26.0

replace github.com/tandemgo/tandem => ../

replace github.com/tandemgo/tandem/ratelimit/redislimit => ../ratelimit/redislimit

require (
	github.com/tandemgo/tandem v0.0.0
	go.uber.org/goleak v1.3.0
)

require (
	github.com/google/go-cmp v0.7.0
	github.com/redis/go-redis/v9 v9.23.0
	github.com/tandemgo/tandem/ratelimit/redislimit v0.0.0
	golang.org/x/sync v0.25.0
	golang.org/x/time v0.16.0
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
)
