package natspool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// What a pool is called on the server, all made from its name.
type names struct {
	stream   string // of tasks
	subject  string
	consumer string // of stream
	dead     string // stream of dead letters
	deadSubj string
	back     string // stream of the deliveries that are no attempts
	backSubj string
}

const maxName = 64

// maxBacks is the most messages in the stream of deliveries that are no attempts. A
// process that is killed may leave some behind; the oldest go first.
const maxBacks = 1 << 17

// maxWaiting is how many pull requests may wait at the server, for all
// processes. The server's default of 512 is too little for 1,000 processes.
const maxWaiting = 1 << 14

func namesOf(name string) names {
	valid := len(name) >= 1 && len(name) <= maxName
	for _, r := range name {
		valid = valid && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}
	if !valid {
		panic(fmt.Sprintf("natspool: New: name must be 1 to %d letters, digits, '-' or '_', got %q", maxName, name))
	}
	return names{
		stream: "natspool-tasks-" + name, subject: "natspool.tasks." + name, consumer: "workers",
		dead: "natspool-dead-" + name, deadSubj: "natspool.dead." + name,
		back: "natspool-back-" + name, backSubj: "natspool.back." + name,
	}
}

// setUp makes the streams and, for a pool that works, the consumer, where they
// are missing. It returns the time that the consumer waits for a sign of life.
func (n names) setUp(ctx context.Context, js jetstream.JetStream, o *options, works bool) (ackWait time.Duration, err error) {
	if err := n.makeStream(ctx, js, jetstream.StreamConfig{
		Name: n.stream, Subjects: []string{n.subject}, Retention: jetstream.WorkQueuePolicy,
		Discard: jetstream.DiscardNew, // should somebody give it a limit: what is accepted is kept
		Storage: jetstream.FileStorage, Replicas: o.replicas, Duplicates: o.duplicates,
	}); err != nil {
		return 0, err
	}
	if err := n.makeStream(ctx, js, jetstream.StreamConfig{
		Name: n.dead, Subjects: []string{n.deadSubj}, Retention: jetstream.LimitsPolicy,
		Storage: jetstream.FileStorage, Replicas: o.replicas,
	}); err != nil {
		return 0, err
	}
	if err := n.makeStream(ctx, js, jetstream.StreamConfig{
		Name: n.back, Subjects: []string{n.backSubj + ".>"}, Retention: jetstream.LimitsPolicy,
		MaxMsgsPerSubject: 1, MaxMsgs: maxBacks, Discard: jetstream.DiscardOld,
		Storage: jetstream.FileStorage, Replicas: o.replicas,
	}); err != nil {
		return 0, err
	}
	if !works {
		return max(o.ackWait, defaultAckWait), nil
	}
	return n.makeConsumer(ctx, js, o)
}

// makeStream makes a stream that is missing. One that is there is left as it is,
// except for a duplicate window that is asked for.
func (n names) makeStream(ctx context.Context, js jetstream.JetStream, cfg jetstream.StreamConfig) error {
	s, err := js.Stream(ctx, cfg.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = js.CreateStream(ctx, cfg)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another process was quicker
			s, err = js.Stream(ctx, cfg.Name)
		}
	}
	if err != nil {
		return fmt.Errorf("natspool: New: stream %q: %w", cfg.Name, err)
	}
	is := s.CachedInfo().Config
	if is.Retention != cfg.Retention || !slices.Equal(is.Subjects, cfg.Subjects) {
		return fmt.Errorf("natspool: New: stream %q must have subjects %q and retention %v, has %q and %v",
			cfg.Name, cfg.Subjects, cfg.Retention, is.Subjects, is.Retention)
	}
	if cfg.Duplicates == 0 || cfg.Duplicates == is.Duplicates {
		return nil
	}
	is.Duplicates = cfg.Duplicates
	if _, err := js.UpdateStream(ctx, is); err != nil {
		return fmt.Errorf("natspool: New: duplicate window of stream %q: %w", cfg.Name, err)
	}
	return nil
}

// makeConsumer makes the consumer if it is missing. How often a task is delivered
// is counted by workers, not by the server: it would leave what has failed too
// often in the stream, where no one finds it. Nor does the server bound how many
// are out: they are as many as there are workers, and those that wait to be
// delivered again.
func (n names) makeConsumer(ctx context.Context, js jetstream.JetStream, o *options) (time.Duration, error) {
	cfg := jetstream.ConsumerConfig{
		Durable: n.consumer, AckPolicy: jetstream.AckExplicitPolicy, AckWait: defaultAckWait,
		MaxDeliver: -1, MaxAckPending: -1, MaxWaiting: maxWaiting,
	}
	if o.ackWait > 0 {
		cfg.AckWait = o.ackWait
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

// apiPrefix returns what the subjects of JetStream's API begin with.
func apiPrefix(o jetstream.JetStreamOptions) string {
	switch {
	case o.APIPrefix != "":
		return strings.TrimSuffix(o.APIPrefix, ".") + "."
	case o.Domain != "":
		return "$JS." + o.Domain + ".API."
	}
	return jetstream.DefaultAPIPrefix
}
