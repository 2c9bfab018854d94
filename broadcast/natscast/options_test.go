package natscast_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/broadcast/natscast"
	"github.com/tandemgo/tandem/internal/testkit"
)

// C5: misuse panics at the wrong call, with the condition that must hold.
func TestMisusePanics(t *testing.T) {
	nc, ctx := new(nats.Conn), context.Background()
	var js jetstream.JetStream
	var none context.Context
	zero := new(natscast.Broadcast[int])
	testkit.Panics(t, map[string]func(){
		"natscast: WithCapacity: capacity must be at least 1, got 0":                   func() { natscast.WithCapacity(0) },
		"natscast: WithQueue: size must be 1 to 16777216, got 0":                       func() { natscast.WithQueue(0) },
		"natscast: WithQueue: size must be 1 to 16777216, got 16777217":                func() { natscast.WithQueue(1<<24 + 1) },
		"natscast: WithHeartbeat: duration must be at least 100ms, got 99ms":           func() { natscast.WithHeartbeat(99 * time.Millisecond) },
		`natscast: WithOrigin: name must have 1 to 128 bytes and no spaces, got "a b"`: func() { natscast.WithOrigin("a b") },
		"natscast: WithReplay: number must not be negative, got -1":                    func() { natscast.WithReplay(-1) },
		"natscast: WithCodec: codec must not be nil":                                   func() { natscast.WithCodec[int](nil) },
		"natscast: WithErrorHandler: function must not be nil":                         func() { natscast.WithErrorHandler(nil) },
		"natscast: New: connection must not be nil":                                    func() { natscast.New[int](nil, "s") },
		`natscast: New: subject must be valid and without wildcards, got "a.*"`:        func() { natscast.New[int](nc, "a.*") },
		`natscast: New: subject must be valid and without wildcards, got ""`:           func() { natscast.New[int](nc, "") },
		"natscast: New: core NATS has no replay, got WithReplay(5)":                    func() { natscast.New[int](nc, "s", natscast.WithReplay(5)) },
		"natscast: New: codec must be for values of type int, got natscast_test.numbers": func() {
			natscast.New[int](nc, "s", natscast.WithCodec(numbers{}))
		},
		"natscast: WithSubjects: there must be at least one subject, got none": func() { natscast.WithSubjects[int](nil) },
		`natscast: New: WithSubjects: subject must be valid, got "a.>.b"`:      func() { subjects(nc, "a.>.b", "s") },
		`natscast: New: WithSubjects: subject must be valid, got "a*"`:         func() { subjects(nc, "s", "a*") },
		`natscast: New: WithSubjects: subject must be valid, got "a b"`:        func() { subjects(nc, "s", "a b") },
		`natscast: New: WithSubjects: subjects must not overlap, got "a.*" and "*.b"`: func() {
			subjects(nc, "s", "a.*", "*.b")
		},
		`natscast: New: WithSubjects: subjects must not overlap, got "s" and ">"`:          func() { subjects(nc, "s", ">") },
		`natscast: New: WithSubjects: one of the subjects must match "s", got ["s.>" "t"]`: func() { subjects(nc, "s.>", "t") },
		"natscast: New: WithSubjects: function must be for values of type int, got func(*string, string)": func() {
			natscast.New[int](nc, "s", natscast.WithSubjects(func(*string, string) {}, "s"))
		},
		"natscast: Send: the zero Broadcast is not usable, make one with New or NewStream":      func() { _ = zero.Send(ctx, 1) },
		"natscast: Subscribe: the zero Broadcast is not usable, make one with New or NewStream": func() { _, _ = zero.Subscribe() },
		"natscast: Stats: the zero Broadcast is not usable, make one with New or NewStream":     func() { zero.Stats() },
		"natscast: Close: the zero Broadcast is not usable, make one with New or NewStream":     func() { _ = zero.Close() },
		"natscast: NewStream: context must not be nil":                                          func() { natscast.NewStream[int](none, js, "S", "s") },
		"natscast: NewStream: JetStream must not be nil":                                        func() { natscast.NewStream[int](ctx, js, "S", "s") },
	})
}

func subjects(nc *nats.Conn, all ...string) {
	natscast.New[int](nc, "s", natscast.WithSubjects[int](nil, all...))
}

// The constructors check the connection before they use it.
func TestUnsuitable(t *testing.T) {
	nc := &nats.Conn{Opts: nats.GetDefaultOptions()}
	_, err := natscast.New[int](nc, "s")
	if err == nil || !strings.Contains(err.Error(), "nats.MaxReconnects(-1)") {
		t.Errorf("got %v", err)
	}
}
