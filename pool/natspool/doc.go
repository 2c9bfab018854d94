// Package natspool runs the tasks of a pool on many machines, on NATS JetStream.
package natspool

import (
	_ "github.com/nats-io/nats.go/jetstream"

	_ "github.com/tandemgo/tandem/pool"
)
