module github.com/tandemgo/tandem/integration

go 1.26.0

replace github.com/tandemgo/tandem => ../

replace github.com/tandemgo/tandem/ratelimit/redislimit => ../ratelimit/redislimit

replace github.com/tandemgo/tandem/broadcast/natscast => ../broadcast/natscast

replace github.com/tandemgo/tandem/pool/natspool => ../pool/natspool

replace github.com/tandemgo/tandem/pipeline/natspipe => ../pipeline/natspipe

require (
	github.com/go-redis/redis_rate/v10 v10.0.1
	github.com/google/go-cmp v0.7.0
	github.com/nats-io/nats-server/v2 v2.15.2
	github.com/nats-io/nats.go v1.55.0
	github.com/redis/go-redis/v9 v9.23.0
	github.com/tandemgo/tandem v0.0.0
	github.com/tandemgo/tandem/broadcast/natscast v0.0.0
	github.com/tandemgo/tandem/pipeline/natspipe v0.0.0
	github.com/tandemgo/tandem/pool/natspool v0.0.0
	github.com/tandemgo/tandem/ratelimit/redislimit v0.0.0
)

require (
	github.com/antithesishq/antithesis-sdk-go v0.8.0-default-no-op // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/google/go-tpm v0.9.8 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/minio/highwayhash v1.0.4 // indirect
	github.com/nats-io/jwt/v2 v2.8.2 // indirect
	github.com/nats-io/nkeys v0.4.16 // indirect
	github.com/nats-io/nuid v1.0.1 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	go.uber.org/goleak v1.3.0 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/exp v0.0.0-20261014143641-f0251eb4aa3e // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/time v0.16.0 // indirect
)
