// Package natscast is a broadcast across machines, on NATS.
package natscast

import (
	_ "github.com/nats-io/nats.go"

	_ "github.com/tandemgo/tandem/broadcast"
)
