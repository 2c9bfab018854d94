// Package integration holds the tests and benchmarks of what runs on servers:
// redislimit, natscast and natspool.
package integration
