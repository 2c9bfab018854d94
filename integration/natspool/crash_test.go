package natspool_test

import (
	"context"
	"log"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/pool/natspool"
)

const workerURL, workerName = "NATSPOOL_TEST_URL", "NATSPOOL_TEST_NAME"

// workUntilKilled is a worker process: it begins a task, reports that, and never ends
// it.
func workUntilKilled() {
	nc, err := nats.Connect(os.Getenv(workerURL), nats.MaxReconnects(-1))
	if err != nil {
		log.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		log.Fatal(err)
	}
	name := os.Getenv(workerName)
	_, err = natspool.New(context.Background(), js, name, 1, func(context.Context, int) (int, error) {
		if err := nc.Publish("begun."+name, nil); err != nil {
			log.Fatal(err)
		}
		select {}
	})
	if err != nil {
		log.Fatal(err)
	}
	select {}
}

// A process is killed in the middle of a task: another process runs the task, and
// Attempt returns 2 there.
func TestWorkerProcessKilled(t *testing.T) {
	t.Parallel()
	s, name := natsserver.Start(t), newName(t)
	js := connect(t, s.URL())
	p := newPool[int, int](t, js, name, 0, nil)
	begun := make(chan *nats.Msg, 10)
	must(js.Conn().ChanSubscribe("begun."+name, begun))
	must0(js.Conn().Flush())
	f := must(p.Submit(soon(t), 7))

	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), workerURL+"="+s.URL(), workerName+"="+name)
	cmd.Stderr = os.Stderr
	must0(cmd.Start())
	defer cmd.Wait()
	defer cmd.Process.Kill()
	receive(t, begun, "the process begins the task")
	must0(cmd.Process.Kill())

	w := newPool(t, js, name, 1, func(ctx context.Context, n int) (int, error) {
		attempt, _ := natspool.Attempt(ctx)
		return 10*n + attempt, nil
	}, natspool.WithAckWait(time.Second))
	if v, err := f.Wait(soon(t)); v != 72 || err != nil {
		t.Errorf("got %d, %v, want 72 in the second attempt", v, err)
	}
	if s := w.Stats(); s.Redelivered != 1 || s.Completed != 1 {
		t.Errorf("%+v, want one redelivery", s)
	}
}

// A task that kills each process that runs it becomes a dead letter after the maximum
// number of deliveries.
func TestTaskThatKillsItsWorkers(t *testing.T) {
	t.Parallel()
	s, name := natsserver.Start(t), newName(t)
	js := connect(t, s.URL())
	p := newPool[int, int](t, js, name, 0, nil)
	begun := make(chan *nats.Msg, 10)
	must(js.Conn().ChanSubscribe("begun."+name, begun))
	must0(js.Conn().Flush())
	f := must(p.Submit(soon(t), 7))
	for range 2 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), workerURL+"="+s.URL(), workerName+"="+name)
		cmd.Stderr = os.Stderr
		must0(cmd.Start())
		receive(t, begun, "the process begins the task")
		must0(cmd.Process.Kill())
		cmd.Wait()
		c := must(js.Consumer(soon(t), "natspool-tasks-"+name, "workers"))
		cfg := c.CachedInfo().Config
		cfg.AckWait = time.Second
		must(js.UpdateConsumer(soon(t), "natspool-tasks-"+name, cfg))
	}
	w := newPool(t, js, name, 1, func(context.Context, int) (int, error) {
		t.Error("it runs once too often")
		return 0, nil
	}, natspool.WithMaxDeliver(2))
	_, err := f.Wait(soon(t))
	if e, ok := err.(*natspool.TaskError); !ok || e.Attempts != 3 {
		t.Errorf("got %v, want a TaskError of the third delivery", err)
	}
	until(t, "it is counted", func() bool { return w.Stats().Exhausted == 1 && w.Stats().Dead == 1 })
	letters := 0
	for l, err := range p.DeadLetters(soon(t)) {
		if letters++; err != nil || l.Task != 7 {
			t.Errorf("%+v, %v", l, err)
		}
	}
	if letters != 1 {
		t.Errorf("%d dead letters, want 1", letters)
	}
}
