package natspipe_test

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pipeline/natspipe"
)

// childEnv is set for a process that kills itself. It has a child as JSON.
const childEnv = "NATSPIPE_TEST_CHILD"

// A child is the program of a process that kills itself at a point of an item's way.
type child struct {
	URL, In, Out string
	At           string // the point
	After        int64  // dies there at this passage
	Poison       int    // or in the function with this value
	Partitions   int

	jetstream.JetStream `json:"-"`
	passed              atomic.Int64
}

// pairs makes the values 2v and 2v+1 of v.
func (c *child) pairs(_ context.Context, v int, emit func(int) error) error {
	if err := emit(2 * v); err != nil {
		return err
	}
	c.pass("between two values")
	return emit(2*v + 1)
}

// pairKey is the key of the values that pairs makes.
func pairKey(v int) string { return keyOf(v / 2) }

func (c *child) pass(at string) {
	if c.At == at && c.passed.Add(1) == c.After {
		die()
	}
}

// die ends this process as kill -9 does.
func die() {
	p, _ := os.FindProcess(os.Getpid())
	_ = p.Kill()
	select {}
}

// Decode and Encode are those of a natspipe.Codec.
func (c *child) Decode(data []byte) (v int, err error) {
	c.pass("taken")
	err = json.Unmarshal(data, &v)
	return v, err
}

func (c *child) Encode(v int) ([]byte, error) {
	c.pass("encoded")
	return json.Marshal(v)
}

// PublishMsg is that of JetStream, for the Sink.
func (c *child) PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if c.At == "sent" && c.passed.Load() == c.After-1 {
		must0(c.Conn().PublishMsg(m))
		must0(c.Conn().Flush())
	}
	c.pass("sent")
	ack, err := c.JetStream.PublishMsg(ctx, m, opts...)
	c.pass("stored")
	return ack, err
}

// run is the program of the process.
func (c *child) run() {
	ctx := context.Background()
	nc, err := nats.Connect(c.URL)
	if err == nil {
		c.JetStream, err = jetstream.New(nc)
	}
	if err != nil {
		log.Fatal(err)
	}
	codec := natspipe.WithCodec[int](c)
	in := must(natspipe.NewSource[int](ctx, c, c.In, "w", append(c.source(), codec)...))
	out := must(natspipe.NewSink[int](ctx, c, c.Out, natspipe.WithKey(4, pairKey), codec))
	work := pipeline.Then(natspipe.FlatMap(c.pairs), natspipe.Map(func(_ context.Context, v int) (int, error) {
		if c.pass("in the function"); c.Poison > 0 && v/2 == c.Poison {
			die()
		}
		return v, nil
	}, pipeline.WithWorkers(4)))
	log.Fatal(pipeline.Then(work, out.Stage()).ForEach(ctx, in.All, func(context.Context, int) error {
		if c.At == "acknowledged" {
			must0(nc.Flush())
		}
		c.pass("acknowledged")
		return nil
	}))
}

// source returns the options of a Source that gets the messages of a killed process soon.
func (c *child) source() []natspipe.Option {
	return []natspipe.Option{natspipe.WithPartitions(c.In, c.Partitions), natspipe.WithAckWait(500 * time.Millisecond), natspipe.WithMaxDeliver(2)}
}

// ends runs the pipeline until all n values are stored, in a process that survives.
func (c *child) ends(t *testing.T, x *trial, n int) *worker {
	w := x.work(c.URL, "w", natspipe.FlatMap(new(child).pairs), c.source(), []natspipe.Option{natspipe.WithKey(4, pairKey)})
	until(t, "all is stored", func() bool { return messages(t, x.js, x.out) >= n && w.source.Stats().Held == 0 })
	must0(w.end(t))
	return w
}

// dies runs the process until it has killed itself.
func (c *child) dies(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(soon(t), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(must(json.Marshal(c))))
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.Exited() {
		t.Errorf("the process was not killed: %v\n%s", err, out)
	}
}

// N1, N4: a process is killed at each point of an item's way, twice.
func TestN1KilledAtEveryStage(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	for _, at := range []string{"taken", "between two values", "in the function", "encoded", "sent", "stored", "acknowledged"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			x := newTrial(t, s.URL(), 1)
			const n = 40
			x.fill(n, natspipe.WithKey(4, keyOf))
			c := &child{URL: s.URL(), In: x.in, Out: x.out, Partitions: 4, At: at}
			for _, c.After = range []int64{9, 4} {
				c.dies(t)
			}
			c.ends(t, x, 2*n)
			inOrderPerKey(t, x.js, x.out, 2*n, pairKey)
			x.nothingIsLeft("w-0", "w-1", "w-2", "w-3")
		})
	}
}

// N5: an item that kills each process that works on it becomes a dead letter, and the
// others of its key are stored behind it.
func TestN5ItemThatKillsItsProcesses(t *testing.T) {
	t.Parallel()
	s := natsserver.Start(t)
	x := newTrial(t, s.URL(), 1)
	x.fill(20, natspipe.WithKey(1, keyOf))
	c := &child{URL: s.URL(), In: x.in, Out: x.out, Partitions: 1, Poison: 7}
	for range 4 { // twice as often as WithMaxDeliver
		c.dies(t)
	}
	if w := c.ends(t, x, 38); w.source.Stats().Dead != 1 {
		t.Errorf("%+v", w.source.Stats())
	}
	all := stored(t, x.js, x.out)
	if slices.Contains(all, 14) || slices.Contains(all, 15) || len(all) != 38 {
		t.Errorf("stored %v", all)
	}
	letter := must(must(x.js.Stream(soon(t), "natspipe-dead-w")).GetLastMsgForSubject(soon(t), "natspipe.dead.w"))
	if why := letter.Header.Get(natspipe.ErrorHeader); string(letter.Data) != "7" || !strings.Contains(why, "they may have crashed") {
		t.Errorf("the letter is %q, of the error %q", letter.Data, why)
	}
}
