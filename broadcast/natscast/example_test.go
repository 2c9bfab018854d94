package natscast_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/natscast"
)

// progress is the type of values in the examples.
type progress struct {
	Job  string
	Done int
}

// Each process has one broadcast; subscribers in all processes receive its values.
func Example() {
	nc, err := nats.Connect(nats.DefaultURL, nats.MaxReconnects(-1))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	b, err := natscast.New[progress](nc, "progress")
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	sub, err := b.Subscribe()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if err := b.Send(ctx, progress{"import", 17}); err != nil {
		log.Fatal(err)
	}
	for p, err := range sub.All(ctx) {
		if err != nil {
			fmt.Println(err) // how many values were lost
			continue
		}
		fmt.Println(p.Job, p.Done) // import 17
		break
	}
}

// On JetStream all processes have one order, and a process that starts later can begin
// with earlier values.
func ExampleNewStream() {
	ctx := context.Background()
	nc, err := nats.Connect(nats.DefaultURL, nats.MaxReconnects(-1))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		log.Fatal(err)
	}
	_, err = js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: "PROGRESS", Subjects: []string{"progress"}, MaxAge: time.Hour,
	})
	if err != nil {
		log.Fatal(err)
	}
	b, err := natscast.NewStream[progress](ctx, js, "PROGRESS", "progress", natscast.WithReplay(100))
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	sub, err := b.Subscribe(broadcast.WithReplay(100))
	if err != nil {
		log.Fatal(err)
	}
	for p, err := range sub.All(ctx) {
		if err != nil {
			fmt.Println(err) // how many values were lost
			continue
		}
		fmt.Println(p.Job, p.Done)
	}
}

// numbers is a codec that needs no reflection.
type numbers struct{}

func (numbers) Encode(v uint64) ([]byte, error) { return binary.BigEndian.AppendUint64(nil, v), nil }

func (numbers) Decode(data []byte) (uint64, error) {
	if len(data) != 8 {
		return 0, fmt.Errorf("a number has 8 bytes, got %d", len(data))
	}
	return binary.BigEndian.Uint64(data), nil
}

// All options: most programs need none.
func ExampleNew() {
	nc, err := nats.Connect(nats.DefaultURL, nats.MaxReconnects(-1))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	b, err := natscast.New[uint64](nc, "numbers",
		natscast.WithCodec(numbers{}),
		natscast.WithCapacity(4096),
		natscast.WithQueue(1<<16),
		natscast.WithHeartbeat(250*time.Millisecond),
		natscast.WithOrigin("worker-7"),
		natscast.WithBuffering(),
		natscast.WithErrorHandler(func(err error) {
			if bad, ok := errors.AsType[*natscast.DecodeError](err); ok {
				log.Printf("%d bytes on %s: %v", bad.Size, bad.Subject, bad.Err)
			}
		}))
	switch {
	case errors.Is(err, natscast.ErrUnsuitable): // such as a connection that gives up
		log.Fatal(err)
	case errors.Is(err, natscast.ErrDisconnected): // the server does not answer
		log.Fatal(err)
	}
	defer b.Close()
}

// A quote has the subject on which it came.
type quote struct {
	Price   int
	Subject string `json:"-"`
}

// This process sends on one subject and receives the values of all.
func ExampleWithSubjects() {
	nc, err := nats.Connect(nats.DefaultURL, nats.MaxReconnects(-1))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	b, err := natscast.New[quote](nc, "quotes.oil.berlin",
		natscast.WithSubjects(func(q *quote, subject string) { q.Subject = subject }, "quotes.oil.*", "quotes.gas.>"))
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
}

// A codec can be tested without a server.
func ExampleCodec() {
	var codec natscast.Codec[uint64] = numbers{}
	data, err := codec.Encode(7)
	if err != nil {
		log.Fatal(err)
	}
	v, err := codec.Decode(data)
	fmt.Println(len(data), v, err)
	// Output: 8 7 <nil>
}

// The error of Send tells whether the value was sent.
func ExampleBroadcast_Send() {
	var b *natscast.Broadcast[progress] // made by New or NewStream
	err := b.Send(context.Background(), progress{"import", 18})
	panicked, isPanic := errors.AsType[*natscast.PanicError](err)
	switch {
	case err == nil: // the connection has it, or the stream
	case errors.Is(err, natscast.ErrDisconnected): // not delivered: send it later
	case errors.Is(err, natscast.ErrUncertain): // a stream did not answer; it may have it
	case errors.Is(err, natscast.ErrClosed): // b was closed
	case errors.Is(err, natscast.ErrGoexit): // the codec has left its goroutine
	case isPanic:
		log.Printf("the codec panicked: %v", panicked.Value)
	}
}

// The received and missed values of a process add up to the values sent.
func ExampleBroadcast_Stats() {
	var b *natscast.Broadcast[progress] // made by New or NewStream
	st := b.Stats()
	fmt.Printf("%d sent, %d received, %d missed", st.Sent, st.Received, st.Missed)
	fmt.Printf(", %d twice, %d undecodable\n", st.Duplicates, st.Undecodable)
	for _, s := range st.Local.Subscriptions {
		fmt.Printf("%s has %d to read\n", s.Name, s.Backlog)
	}
}
