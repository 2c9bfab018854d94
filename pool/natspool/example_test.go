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
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/pool/natspool"
)

type Mail struct{ ID, To, Text string }

type Receipt struct{ At time.Time }

func send(context.Context, Mail) (Receipt, error) { return Receipt{At: time.Now()}, nil }

// What will never succeed is not tried again, and what may have run before can be
// told.
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

// A worker: as many processes of it as are needed.
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
		log.Print(err) // what was running is handed back to others
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
		return // whoever submitted it first has the Future
	case errors.Is(err, natspool.ErrUnacknowledged), errors.Is(err, natspool.ErrClosed):
		log.Fatal(err)
	}
	<-f.Done()
	receipt, err := f.Wait(ctx)
	var failed *natspool.TaskError
	switch {
	case errors.As(err, &failed):
		log.Fatalf("after %d attempts: %v", failed.Attempts, failed)
	case errors.Is(err, natspool.ErrResultLost):
		return // it has ended; how, this process will not learn
	}
	fmt.Println(receipt.At)

	receipt, err = p.Do(ctx, Mail{ID: "3", To: "eve"}) // submit and wait
	fmt.Println(receipt.At, err)
}

// What has failed for good is kept, and can be tried again.
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

// A Codec for another form than JSON.
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

// A task can end the pool that runs it, and is not waited for.
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
		natspool.WithAckWait(time.Minute),            // a worker that is silent for longer is dead
		natspool.WithDuplicateWindow(10*time.Minute), // for how long message ids are known
		natspool.WithReplicas(3))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
}
