package natspool_test

import (
	"context"
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

func send(ctx context.Context, m Mail) (Receipt, error) {
	if m.To == "" {
		return Receipt{}, natspool.Permanent(errors.New("no address"))
	}
	if n, ok := natspool.Attempt(ctx); ok && n > 1 {
		log.Printf("mail %s may have been sent already", m.ID)
	}
	return Receipt{At: time.Now()}, nil
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
		natspool.WithErrorHandler(func(err error) { log.Print(err) }))
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

	if err := p.Go(ctx, Mail{ID: "1", To: "ann"}); err != nil { // stored, when this returns nil
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

// A Codec for another form than JSON: a receipt as its time.
type textCodec struct{}

func (textCodec) Encode(r Receipt) ([]byte, error) { return r.At.AppendText(nil) }

func (textCodec) Decode(data []byte) (r Receipt, err error) {
	err = r.At.UnmarshalText(data)
	return r, err
}

// Options that processes of one pool must agree on.
func ExampleOption() {
	var js jetstream.JetStream // of a connection
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel() // ends the pool at once
	p, err := natspool.New(ctx, js, "mail", 8, send,
		natspool.WithContext(ctx),
		natspool.WithTaskCodec[Mail](natspool.JSON[Mail]{}), // the default
		natspool.WithResultCodec[Receipt](textCodec{}),
		natspool.WithAckWait(time.Minute),            // a worker that is silent for longer is dead
		natspool.WithDuplicateWindow(10*time.Minute), // for how long message ids are known
		natspool.WithReplicas(3))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
}
