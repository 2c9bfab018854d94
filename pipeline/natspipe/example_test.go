package natspipe_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"os/signal"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pipeline/natspipe"
)

type Order struct {
	ID, Customer string
	Lines        []string
}

type Invoice struct{ Customer, Text string }

func bill(_ context.Context, o Order) (Invoice, error) {
	if o.Customer == "" {
		return Invoice{}, pipeline.Permanent(errors.New("no customer"))
	}
	return Invoice{o.Customer, o.ID}, nil
}

func deliverable(_ context.Context, o Order) (bool, error) { return len(o.Lines) > 0, nil }

// A worker, and an order for it. More workers are more processes of this program. A worker
// ends on SIGTERM, when the orders that it has begun are billed; this one ends after one.
func Example() {
	nc, err := nats.Connect(nats.DefaultURL, nats.MaxReconnects(-1))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	stop, cancel := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer cancel()
	for _, name := range []string{"orders", "invoices"} {
		if _, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{name}}); err != nil {
			log.Fatal(err)
		}
	}
	if _, err := js.Publish(ctx, "orders", []byte(`{"ID": "1", "Customer": "Ann", "Lines": ["tea"]}`)); err != nil {
		log.Fatal(err)
	}

	in, err := natspipe.NewSource[Order](ctx, js, "orders", "billing")
	if err != nil {
		log.Fatal(err)
	}
	defer in.Close()
	out, err := natspipe.NewSink[Invoice](ctx, js, "invoices")
	if err != nil {
		log.Fatal(err)
	}
	work := pipeline.Then(natspipe.Filter(deliverable),
		pipeline.Then(natspipe.Map(bill, pipeline.WithWorkers(8)), out.Stage()))
	err = work.ForEach(ctx, pipeline.Until(stop, in.All), func(_ context.Context, v Invoice) error {
		fmt.Println("billed", v.Customer)
		cancel() // as SIGTERM does
		return nil
	})
	fmt.Println(err, in.Stats().Acked, out.Stats().Stored)
}

// The orders of each customer are billed one after the other, in all processes together.
func ExampleWithPartitions() {
	var js jetstream.JetStream // of a connection
	ctx := context.Background()
	// Where orders come in: a pipeline of other values.
	byCustomer := natspipe.WithKey(32, func(o Order) string { return o.Customer })
	store, err := natspipe.NewSink[Order](ctx, js, "orders", byCustomer)
	if err != nil {
		log.Fatal(err)
	}
	wrap := pipeline.Map(func(_ context.Context, o Order) (natspipe.Msg[Order], error) {
		return natspipe.NewMsg(o.ID, o), nil // an order that comes twice is stored once
	})
	if _, err := pipeline.Then(wrap, store.Stage()).Collect(ctx, pipeline.Values(Order{ID: "1", Customer: "a"})); err != nil {
		log.Fatal(err)
	}
	// In each worker:
	in, err := natspipe.NewSource[Order](ctx, js, "orders", "billing", natspipe.WithPartitions("orders", 32),
		natspipe.WithAckWait(10*time.Second), natspipe.WithMaxDeliver(3), natspipe.WithBackoff(time.Second, 10*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	defer in.Close()
	paid := pipeline.Then(natspipe.Map(bill), natspipe.Ack[Invoice]())
	for invoice, err := range paid.Run(ctx, in.All) {
		if errors.Is(err, natspipe.ErrClosed) || errors.Is(err, natspipe.ErrUsed) {
			log.Fatal(err)
		}
		fmt.Println(invoice)
	}
}

// Each line of an order is stored on its own; the order is acknowledged with the last one.
func ExampleFlatMap() {
	lines := natspipe.FlatMap(func(_ context.Context, o Order, emit func(string) error) error {
		for _, l := range o.Lines {
			if err := emit(l); err != nil {
				return err
			}
		}
		return nil
	})
	orders := pipeline.Values(natspipe.NewMsg("7", Order{Lines: []string{"tea", "milk"}}))
	for line, err := range lines.Run(context.Background(), orders) {
		fmt.Println(line.ID(), line.Value, err)
	}
	// Output:
	// 7/0 tea <nil>
	// 7/1 milk <nil>
}

// Values are written to a database 100 at a time, and acknowledged then.
func ExampleBatch() {
	insert := func(context.Context, []Invoice) (int, error) { return 0, nil }
	write := pipeline.Then(natspipe.Batch[Invoice](100, time.Second), pipeline.Then(natspipe.Map(insert), natspipe.Ack[int]()))
	fmt.Println(write)
	// Output: on discard → batch(100, 1s) → join → on discard → map → on discard → ack
}

// Four customers at a time, each in order within this process.
func ExampleByKey() {
	customer := func(o Order) string { return o.Customer }
	work := natspipe.ByKey(4, customer, natspipe.Map(bill))
	v, err := pipeline.Then(work, natspipe.Ack[Invoice]()).Collect(context.Background(), pipeline.Values(natspipe.NewMsg("1", Order{Customer: "a"})))
	fmt.Println(len(v), err)
	// Output: 1 <nil>
}

// Dead letters are messages of a stream, too.
func ExampleErrorHeader() {
	var js jetstream.JetStream // of a connection
	ctx := context.Background()
	letters, err := js.OrderedConsumer(ctx, "natspipe-dead-billing", jetstream.OrderedConsumerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	m, err := letters.Next()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %s\n", m.Headers().Get(natspipe.ErrorHeader), m.Data())
}

// numbers encodes values as four bytes.
type numbers struct{}

func (numbers) Encode(v uint32) ([]byte, error) { return binary.BigEndian.AppendUint32(nil, v), nil }
func (numbers) Decode(b []byte) (uint32, error) {
	if len(b) != 4 {
		return 0, errors.New("not a number")
	}
	return binary.BigEndian.Uint32(b), nil
}

func ExampleWithCodec() {
	var js jetstream.JetStream                   // of a connection
	var codec natspipe.Codec[uint32] = numbers{} // also for a Sink
	if b, err := codec.Encode(7); err == nil {
		fmt.Println(codec.Decode(b))
	}
	in, err := natspipe.NewSource[uint32](context.Background(), js, "numbers", "sums", natspipe.WithCodec(codec), natspipe.WithWindow(1000),
		natspipe.WithErrorHandler(func(err error) {
			if e, ok := errors.AsType[*natspipe.MessageError](err); ok && e.Dead {
				log.Printf("message %d is given up: %v", e.Sequence, e)
			}
		}))
	if err != nil {
		log.Fatal(err)
	}
	defer in.Close()
	show := func(natspipe.SourceStats, natspipe.SinkStats) {}
	show(in.Stats(), natspipe.SinkStats{})
}
