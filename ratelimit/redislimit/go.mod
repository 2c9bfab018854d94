module github.com/tandemgo/tandem/ratelimit/redislimit

go 1.26.0

replace github.com/tandemgo/tandem => ../../

require (
	github.com/redis/go-redis/v9 v9.23.0
	github.com/tandemgo/tandem v0.0.0
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	go.uber.org/goleak v1.3.0 // indirect
	golang.org/x/exp v0.0.0-20261014143641-f0251eb4aa3e // indirect
	golang.org/x/sys v0.48.0 // indirect
)
