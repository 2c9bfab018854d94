package natspool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// names are the names of a pool's streams, subjects and consumer, all made from its
// name.
type names struct {
	stream   string // of tasks
	subject  string
	consumer string // of stream
	dead     string // stream of dead letters
	deadSubj string
	back     string // stream of the records of deliveries that are not attempts
	backSubj string
	plan     string // stream of schedules and of tasks that are due
	planSubj string // and the name of a schedule
	dueSubj  string // of tasks that are due
	dueTo    string // where the server pushes them
	again    string // where a process asks for its results
}

const maxName = 64

// maxBacks is the largest number of messages in the stream of deliveries that are not
// attempts. A killed process may leave some behind; the server drops the oldest first.
const maxBacks = 1 << 17

// maxWaiting is how many pull requests may wait at the server, for all
// processes. The server's default of 512 is too little for 1,000 processes.
const maxWaiting = 1 << 14

func namesOf(name string) names {
	valid := len(name) >= 1 && len(name) <= maxName
	for _, r := range name {
		valid = valid && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}
	require(valid, "New: name must be 1 to %d letters, digits, '-' or '_', got %q", maxName, name)
	return names{
		stream: "natspool-tasks-" + name, subject: "natspool.tasks." + name, consumer: "workers",
		dead: "natspool-dead-" + name, deadSubj: "natspool.dead." + name,
		back: "natspool-back-" + name, backSubj: "natspool.back." + name,
		plan: "natspool-plan-" + name, planSubj: "natspool.plan." + name,
		dueSubj: "natspool.due." + name, dueTo: "natspool.move." + name,
		again: "natspool.again." + name,
	}
}

// setUp creates the streams and, for a pool with workers, the consumer, if they are
// missing. It returns how long the consumer waits for a sign of life.
func (n names) setUp(ctx context.Context, js jetstream.JetStream, o *options, works bool) (ackWait time.Duration, err error) {
	for _, cfg := range []jetstream.StreamConfig{
		{
			Name: n.stream, Subjects: []string{n.subject}, Retention: jetstream.WorkQueuePolicy, Duplicates: o.duplicates,
			Discard: jetstream.DiscardNew, // if the stream is given a limit, accepted tasks are kept
		},
		{Name: n.dead, Subjects: []string{n.deadSubj}},
		{Name: n.back, Subjects: []string{n.backSubj + ".>"}, MaxMsgsPerSubject: 1, MaxMsgs: maxBacks},
	} {
		cfg.Replicas = o.replicas
		if _, err := n.makeStream(ctx, js, cfg); err != nil {
			return 0, err
		}
	}
	if !works {
		return cmp.Or(o.ackWait, defaultAckWait), nil
	}
	return n.makeConsumer(ctx, js, o)
}

// makeStream creates a stream that is missing. It does not change an existing one,
// except for the duplicate window if cfg sets one.
func (n names) makeStream(ctx context.Context, js jetstream.JetStream, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	s, err := js.Stream(ctx, cfg.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = js.CreateStream(ctx, cfg)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another process was quicker
			s, err = js.Stream(ctx, cfg.Name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("natspool: New: stream %q: %w", cfg.Name, err)
	}
	is := s.CachedInfo().Config
	if is.Retention != cfg.Retention || !slices.Equal(is.Subjects, cfg.Subjects) {
		return nil, fmt.Errorf("natspool: New: stream %q must have subjects %q and retention %v, has %q and %v",
			cfg.Name, cfg.Subjects, cfg.Retention, is.Subjects, is.Retention)
	}
	if cfg.Duplicates != 0 && cfg.Duplicates != is.Duplicates {
		is.Duplicates = cfg.Duplicates
		if s, err = js.UpdateStream(ctx, is); err != nil {
			return nil, fmt.Errorf("natspool: New: duplicate window of stream %q: %w", cfg.Name, err)
		}
	}
	return s, nil
}

// makeConsumer creates the consumer if it is missing. Workers, not the server, count
// the deliveries of a task: the server would leave a task that has failed too often in
// the stream, where it would not be found. The server does not bound the number of
// pending acknowledgements either: there are as many as there are workers, plus the
// tasks that wait for another delivery.
func (n names) makeConsumer(ctx context.Context, js jetstream.JetStream, o *options) (time.Duration, error) {
	cfg := jetstream.ConsumerConfig{
		Durable: n.consumer, AckPolicy: jetstream.AckExplicitPolicy, AckWait: cmp.Or(o.ackWait, defaultAckWait),
		MaxDeliver: -1, MaxAckPending: -1, MaxWaiting: maxWaiting,
	}
	c, err := js.Consumer(ctx, n.stream, n.consumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		c, err = js.CreateConsumer(ctx, n.stream, cfg)
		if errors.Is(err, jetstream.ErrConsumerExists) {
			c, err = js.Consumer(ctx, n.stream, n.consumer)
		}
	}
	if err == nil && o.ackWait > 0 && c.CachedInfo().Config.AckWait != o.ackWait {
		cfg = c.CachedInfo().Config
		cfg.AckWait = o.ackWait
		c, err = js.UpdateConsumer(ctx, n.stream, cfg)
	}
	if err != nil {
		return 0, fmt.Errorf("natspool: New: consumer %q of stream %q: %w", n.consumer, n.stream, err)
	}
	return c.CachedInfo().Config.AckWait, nil
}

// apiPrefix returns the prefix of the subjects of JetStream's API.
func apiPrefix(o jetstream.JetStreamOptions) string {
	switch {
	case o.APIPrefix != "":
		return strings.TrimSuffix(o.APIPrefix, ".") + "."
	case o.Domain != "":
		return "$JS." + o.Domain + ".API."
	}
	return jetstream.DefaultAPIPrefix
}
