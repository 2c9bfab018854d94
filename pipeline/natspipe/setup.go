package natspipe

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// maxWaiting is how many requests for messages may wait at the server, for all
	// processes. The server's default of 512 is too little for 1,000 processes.
	maxWaiting = 1 << 14
	// partitionsKey is the key of the number of partitions in a consumer's metadata.
	partitionsKey = "natspipe-partitions"
)

var validName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

func (f *feed) deadSubject() string { return "natspipe.dead." + f.name }

// newFeed returns a feed. It makes the stream of dead letters and the consumers, if they
// are missing.
func newFeed(ctx context.Context, js jetstream.JetStream, stream, name string, o options) (*feed, error) {
	o.window = max(o.window, 2*o.partitions) // the server bounds the messages of partitions
	f := &feed{
		options: o, js: js, nc: js.Conn(), stream: stream, name: name,
		queue: make(chan *delivery, o.window), room: make(chan struct{}, 1), held: map[uint64]*delivery{},
	}
	cfg, err := f.look(ctx)
	if err != nil {
		return nil, err
	}
	letters := jetstream.StreamConfig{
		Name: "natspipe-dead-" + name, Subjects: []string{f.deadSubject()}, Storage: cfg.Storage, Replicas: cfg.Replicas,
	}
	if _, err = js.CreateStream(ctx, letters); err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return nil, fmt.Errorf("stream %q: %w", letters.Name, err)
	}
	for i := range max(o.partitions, 1) {
		l := &lane{consumer: name}
		if o.partitions > 0 {
			l.consumer, l.filter = fmt.Sprint(name, "-", i), fmt.Sprint(o.subject, ".", i)
		}
		if err := f.makeConsumer(ctx, l); err != nil {
			return nil, err
		}
		f.lanes = append(f.lanes, l)
	}
	f.open, f.shut = context.WithCancel(context.Background())
	f.taking, f.stop = context.WithCancel(f.open)
	return f, nil
}

// look returns the configuration of the stream. It forgets the floors of another stream of the
// same name, and returns an error if there are messages in partitions that are not read.
func (f *feed) look(ctx context.Context) (cfg jetstream.StreamConfig, err error) {
	var filter []jetstream.StreamInfoOpt
	if f.partitions > 0 {
		filter = append(filter, jetstream.WithSubjectFilter(f.subject+".>"))
	}
	var info *jetstream.StreamInfo
	s, err := f.js.Stream(ctx, f.stream)
	if err == nil {
		info, err = s.Info(ctx, filter...)
	}
	if err != nil {
		return cfg, fmt.Errorf("stream %q: %w", f.stream, err)
	}
	for subject := range info.State.Subjects {
		if p, err := strconv.Atoi(strings.TrimPrefix(subject, f.subject+".")); err != nil || p >= f.partitions {
			return cfg, fmt.Errorf("stream %q: subjects must be %s.0 to %[2]s.%d, there are messages of %q", f.stream, f.subject, f.partitions-1, subject)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.born.Equal(info.Created) {
		f.born = info.Created
		for _, l := range f.lanes {
			l.floor = 0
		}
	}
	return info.Config, nil
}

// makeConsumer makes the consumer of a lane if it is missing, and reads up to which
// message it is acknowledged. If it was deleted, it begins behind the message that was
// found before.
//
// The consumer of a partition has one message under way at most, so the server itself
// keeps the order, whichever processes read. This process, not the server, counts the
// deliveries: the server would leave a message that has failed too often in the stream,
// where it would not be found.
func (f *feed) makeConsumer(ctx context.Context, l *lane) error {
	c, err := f.js.Consumer(ctx, f.stream, l.consumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		if _, err := f.look(ctx); err != nil { // the stream may be another one
			return err
		}
		cfg := jetstream.ConsumerConfig{
			Durable: l.consumer, FilterSubject: l.filter, AckPolicy: jetstream.AckExplicitPolicy, AckWait: f.ackWait,
			MaxDeliver: -1, MaxAckPending: -1, MaxWaiting: maxWaiting,
		}
		if f.partitions > 0 {
			cfg.MaxAckPending, cfg.Metadata = 1, map[string]string{partitionsKey: strconv.Itoa(f.partitions)}
		}
		f.mu.Lock()
		if l.floor > 0 {
			cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, l.floor+1
		}
		f.mu.Unlock()
		c, err = f.js.CreateConsumer(ctx, f.stream, cfg)
		if errors.Is(err, jetstream.ErrConsumerExists) { // another process was quicker
			c, err = f.js.Consumer(ctx, f.stream, l.consumer)
		}
	}
	if err != nil {
		return fmt.Errorf("consumer %q of stream %q: %w", l.consumer, f.stream, err)
	}
	info := c.CachedInfo()
	if have := info.Config.Metadata[partitionsKey]; have != "" && have != strconv.Itoa(f.partitions) {
		return fmt.Errorf("consumer %q must have %d partitions, has %s: use another name", l.consumer, f.partitions, have)
	}
	if is := info.Config; l.filter != "" && (is.FilterSubject != l.filter || is.MaxAckPending != 1) { // such as of a Source of that name
		return fmt.Errorf("consumer %q must have subject %q and one message under way, has %q and %d: use another name", l.consumer, l.filter, is.FilterSubject, is.MaxAckPending)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	l.handle, l.floor, f.ackWait = c, info.AckFloor.Stream, info.Config.AckWait
	return nil
}
