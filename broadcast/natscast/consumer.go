package natscast

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	requestTime = 30 * time.Second // how long the server keeps a request
	idleTime    = 10 * time.Second // the server deletes a consumer without requests after this time
	statusRoom  = 64               // room in the queue for status messages

	ackPrefix = "$JS.ACK." // of the reply subjects of deliveries
)

// A consumer reads a stream from a sequence number on, in order, without
// acknowledgements. The server numbers its deliveries. It sends only as many messages
// as were requested, and a consumer requests only as many as fit, so the queue is never
// full.
//
// It is an ephemeral pull consumer. The readers of package jetstream are not used:
// their goroutines end some time after they were stopped.
type consumer struct {
	nc      *nats.Conn
	sub     *nats.Subscription
	queue   chan *nats.Msg
	subject string // of requests
	request []byte // for half of size
	size    int    // the most values that may be requested or in the queue
	asked   int    // values requested and not delivered
	number  uint64 // of the last delivery
	pending uint64 // values to deliver when it was made
	resumed uint64 // reconnects of the connection when it was made
}

// consume makes a consumer that begins with the message number seq.
func consume(ctx context.Context, js jetstream.JetStream, stream string, seq uint64, size int, heartbeat time.Duration) (*consumer, error) {
	nc := js.Conn()
	half := max(1, size/2)
	c := &consumer{
		nc: nc, size: 2 * half, queue: make(chan *nats.Msg, 2*half+statusRoom), resumed: nc.Stats().Reconnects,
		request: fmt.Appendf(nil, `{"batch":%d,"expires":%d,"idle_heartbeat":%d}`, half, max(requestTime, 2*heartbeat), heartbeat),
	}
	var err error
	if c.sub, err = nc.ChanSubscribe(nc.NewInbox(), c.queue); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	made, err := js.CreateConsumer(ctx, stream, jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       seq,
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: idleTime,
	})
	if err == nil {
		info := made.CachedInfo()
		c.pending = info.NumPending
		c.subject = apiPrefix(js.Options()) + "CONSUMER.MSG.NEXT." + stream + "." + info.Name
		err = c.ask()
	}
	if err != nil {
		c.end()
		return nil, err
	}
	return c, nil
}

// apiPrefix returns the prefix of the subjects of JetStream's API.
func apiPrefix(o jetstream.JetStreamOptions) string {
	switch {
	case o.Domain != "":
		return "$JS." + o.Domain + ".API."
	case o.APIPrefix != "":
		return strings.TrimSuffix(o.APIPrefix, ".") + "."
	}
	return jetstream.DefaultAPIPrefix
}

// ask requests more values, in halves, so that one half is in flight while the other is
// read.
func (c *consumer) ask() error {
	for half := c.size / 2; c.asked <= half; c.asked += half {
		if err := c.nc.PublishRequest(c.subject, c.sub.Subject, c.request); err != nil {
			return err
		}
	}
	return nil
}

// delivered records a message. It returns the message's number in the stream, or 0 for
// a status message. An error means that the consumer is unusable.
func (c *consumer) delivered(m *nats.Msg) (seq uint64, err error) {
	if !strings.HasPrefix(m.Reply, ackPrefix) {
		return 0, c.status(m)
	}
	meta, err := m.Metadata()
	if err != nil {
		return 0, err
	}
	if meta.Sequence.Consumer != c.number+1 {
		return 0, fmt.Errorf("delivery %d follows %d", meta.Sequence.Consumer, c.number)
	}
	c.number++
	c.asked--
	return meta.Sequence.Stream, nil
}

// status handles a status message.
func (c *consumer) status(m *nats.Msg) error {
	switch m.Header.Get("Status") {
	case "100":
		// A heartbeat contains the number of deliveries before it.
		n, err := strconv.ParseUint(m.Header.Get("Nats-Last-Consumer"), 10, 64)
		if err == nil && n != c.number {
			return fmt.Errorf("%d were delivered, and %d have come", n, c.number)
		}
		return nil
	case "408":
		// The request has expired with this many messages not delivered.
		n, err := strconv.Atoi(m.Header.Get("Nats-Pending-Messages"))
		c.asked -= n
		return err
	}
	return fmt.Errorf("the server says %s %s", m.Header.Get("Status"), m.Header.Get("Description"))
}

// end stops the consumer. The server deletes it some time later.
func (c *consumer) end() { _ = c.sub.Unsubscribe() } // it fails if the connection is closed
