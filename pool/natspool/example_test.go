package natspool_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/pool/natspool"
)

type Mail struct{ ID, To, Text string }

type Receipt struct{ At time.Time }

func send(context.Context, Mail) (Receipt, error) { return Receipt{At: time.Now()}, nil }

// A task, and a worker for it, in one process. All processes of this program share the
// tasks.
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
	shout := func(_ context.Context, s string) (string, error) { return strings.ToUpper(s), nil }
	p, err := natspool.New(ctx, js, "shout", 8, shout)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	s, err := p.Do(ctx, "hello") // runs in any of the processes
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s) // HELLO
}

// A task that will never succeed is not tried again, and a task that may have run
// before is recognized.
func ExamplePermanent() {
	var js jetstream.JetStream // of a connection
	send := func(ctx context.Context, m Mail) (Receipt, error) {
		if m.To == "" {
			return Receipt{}, natspool.Permanent(errors.New("no address"))
		}
		if n, ok := natspool.Attempt(ctx); ok && n > 1 {
			log.Printf("mail %s may have been sent already", m.ID)
		}
		return Receipt{At: time.Now()}, nil
	}
	p, err := natspool.New(context.Background(), js, "mail", 8, send)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
}

// A worker. More workers are more processes of this program.
func ExampleNew_worker() {
	var js jetstream.JetStream // of a connection, see above
	p, err := natspool.New(context.Background(), js, "mail", 8, send,
		natspool.WithBackoff(time.Second, time.Minute), natspool.WithMaxDeliver(10),
		natspool.WithErrorHandler(func(_ context.Context, err error) { log.Print(err) }))
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	<-ctx.Done()

	limit, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := p.Shutdown(limit); err != nil {
		log.Print(err) // tasks that were running are handed back
	}
	fmt.Println(p.Stats().Completed)
}

// A process without workers only submits.
func ExampleNew_submitter() {
	var js jetstream.JetStream // of a connection, see above
	ctx := context.Background()
	p, err := natspool.New[Mail, Receipt](ctx, js, "mail", 0, nil,
		natspool.WithMessageID(func(m Mail) string { return m.ID })) // sent again, it is stored once
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	err = p.Go(ctx, Mail{ID: "1", To: "ann"}) // stored, when this returns nil
	if err != nil && !errors.Is(err, natspool.ErrDuplicate) {
		log.Fatal(err)
	}
	f, err := p.Submit(ctx, Mail{ID: "2", To: "bob"})
	switch {
	case errors.Is(err, natspool.ErrDuplicate):
		return // the process that submitted it first has the Future
	case errors.Is(err, natspool.ErrUnacknowledged), errors.Is(err, natspool.ErrClosed):
		log.Fatal(err)
	}
	<-f.Done()
	receipt, err := f.Wait(ctx)
	var failed *natspool.TaskError
	switch {
	case errors.Is(err, context.Canceled):
		return // by Cancel
	case errors.As(err, &failed):
		log.Fatalf("after %d attempts: %v", failed.Attempts, failed)
	case errors.Is(err, natspool.ErrResultLost):
		return // the task has ended, and its result is lost
	}
	fmt.Println(receipt.At)

	receipt, err = p.Do(ctx, Mail{ID: "3", To: "eve"}) // submit and wait
	fmt.Println(receipt.At, err)
}

// A task that runs later, and tasks that run again and again. Each process may make the
// same schedules when it starts.
func ExamplePool_Schedule() {
	var p *natspool.Pool[Mail, Receipt] // made by New
	ctx := context.Background()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		log.Fatal(err)
	}
	reminder := Mail{To: "ann", Text: "the parcel arrives today"}
	err = errors.Join(
		p.Schedule(ctx, "order 17", natspool.At(time.Now().Add(48*time.Hour)), reminder),
		p.Schedule(ctx, "heartbeat", natspool.Every(time.Minute), Mail{To: "ops"}),
		p.Schedule(ctx, "report", natspool.Cron("30 6 * * 1-5", berlin), Mail{To: "boss"}))
	if err != nil {
		log.Fatal(err)
	}
	for s, err := range p.Schedules(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(s.Name, s.When, s.Task.To) // report 0 30 6 * * 1-5 Europe/Berlin boss
	}
	if err := p.Unschedule(ctx, "order 17"); err != nil {
		log.Fatal(err)
	}
}

// Tasks that wait can be looked at and canceled, in any process.
func ExamplePool_Pending() {
	var p *natspool.Pool[Mail, Receipt] // made by New
	ctx := context.Background()
	for task, err := range p.Pending(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if task.Undecodable == nil && task.Task.To == "eve" {
			if err := p.Cancel(ctx, task.ID); err != nil {
				log.Fatal(err)
			}
		}
	}
}

// A task that has failed for good is kept, and can be submitted again.
func ExamplePool_DeadLetters() {
	var p *natspool.Pool[Mail, Receipt] // made by New
	ctx := context.Background()
	for letter, err := range p.DeadLetters(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(letter.ID, letter.Task.To, letter.Err, letter.Attempts)
		if letter.Undecodable != nil || letter.Task.To == "" {
			err = p.Discard(ctx, letter.ID)
		} else {
			err = p.Requeue(ctx, letter)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
}

// A Codec for a format other than JSON.
type gobCodec[T any] struct{}

func (gobCodec[T]) Encode(v T) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(v)
	return b.Bytes(), err
}

func (gobCodec[T]) Decode(data []byte) (v T, err error) {
	err = gob.NewDecoder(bytes.NewReader(data)).Decode(&v)
	return v, err
}

// A codec can be tried without a server.
func ExampleCodec() {
	var codec natspool.Codec[Receipt] = gobCodec[Receipt]{}
	data, err := codec.Encode(Receipt{At: time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)})
	if err != nil {
		log.Fatal(err)
	}
	r, err := codec.Decode(data)
	fmt.Println(r.At, err)
	// Output: 2026-02-01 12:00:00 +0000 UTC <nil>
}

// A task can shut down the pool that runs it.
func ExamplePool_Shutdown() {
	var js jetstream.JetStream // of a connection
	ready := make(chan *natspool.Pool[Mail, Receipt], 1)
	p, err := natspool.New(context.Background(), js, "mail", 1, func(ctx context.Context, m Mail) (Receipt, error) {
		if err := (<-ready).Shutdown(ctx); !errors.Is(err, natspool.ErrInside) {
			return Receipt{}, err
		}
		return send(ctx, m)
	})
	if err != nil {
		log.Fatal(err)
	}
	ready <- p
}

// Options that processes of one pool must agree on.
func ExampleOption() {
	var js jetstream.JetStream // of a connection
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel() // ends the pool at once
	p, err := natspool.New(ctx, js, "mail", 8, send,
		natspool.WithContext(ctx),
		natspool.WithTaskCodec[Mail](gobCodec[Mail]{}),
		natspool.WithResultCodec[Receipt](gobCodec[Receipt]{}),
		natspool.WithAckWait(time.Minute),            // then another worker gets the task of a silent one
		natspool.WithDuplicateWindow(10*time.Minute), // how long the stream remembers message ids
		natspool.WithReplicas(3))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
}
