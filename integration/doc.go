// Package integration has the tests and benchmarks that need servers: those of
// redislimit, natscast, natspool and natspipe.
package integration
