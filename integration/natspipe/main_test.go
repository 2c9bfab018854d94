package natspipe_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pipeline/natspipe"
)

func TestMain(m *testing.M) {
	if program := os.Getenv(childEnv); program != "" {
		c := new(child)
		must0(json.Unmarshal([]byte(program), c))
		c.run()
	}
	testkit.Main(m)
}

var (
	newName = natsserver.NewName
	connect = natsserver.JetStream
	soon    = natsserver.Soon
	until   = natsserver.Until
)

// brief returns a context for a request that is made again if it is lost, as a server ends.
func brief(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	t.Cleanup(cancel)
	return ctx
}

func receive[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	return natsserver.Receive(t, ch, what)
}

func must[T any](v T, err error) T {
	must0(err)
	return v
}

func must0(err error) {
	if err != nil {
		panic(err)
	}
}

// A trial is a server with a stream of numbers to read and a stream to store them in.
type trial struct {
	t        testing.TB
	js       jetstream.JetStream
	in, out  string // names of the streams; their subjects are the same, and in partitions of it
	replicas int
}

// newTrial makes the streams on the server behind url.
func newTrial(t testing.TB, url string, replicas int) *trial {
	t.Helper()
	x := &trial{t: t, js: connect(t, url), in: newName(t), replicas: replicas}
	x.out = x.in + "-out"
	x.stream(x.in, 0)
	x.stream(x.out, 0)
	return x
}

// stream makes a stream with a duplicate window, by default that of the server.
func (x *trial) stream(name string, window time.Duration) {
	x.t.Helper()
	must(x.js.CreateOrUpdateStream(soon(x.t), jetstream.StreamConfig{
		Name: name, Subjects: []string{name, name + ".>"}, Duplicates: window, Replicas: max(x.replicas, 1),
	}))
}

// fill stores the numbers from 0 to n-1, in the order of their keys if there are
// partitions.
func (x *trial) fill(n int, opts ...natspipe.Option) {
	x.t.Helper()
	sink := must(natspipe.NewSink[int](soon(x.t), x.js, x.in, opts...))
	wrap := pipeline.Map(func(_ context.Context, v int) (natspipe.Msg[int], error) {
		return natspipe.NewMsg(fmt.Sprint(v), v), nil
	})
	numbers := pipeline.Seq(func(yield func(int) bool) {
		for v := range n {
			if !yield(v) {
				return
			}
		}
	})
	stored := must(pipeline.Then(wrap, sink.Stage()).Collect(soon(x.t), numbers))
	if len(stored) != n {
		x.t.Fatalf("%d of %d numbers are stored", len(stored), n)
	}
}

// A worker is a run of a pipeline from one stream to the other.
type worker struct {
	source *natspipe.Source[int]
	sink   *natspipe.Sink[int]
	stop   context.CancelFunc // drains
	cancel context.CancelCauseFunc
	ended  chan error
}

// work starts a worker on a connection of its own to url.
func (x *trial) work(url, name string, stage pipeline.Stage[natspipe.Msg[int], natspipe.Msg[int]], source, sink []natspipe.Option) *worker {
	x.t.Helper()
	js := connect(x.t, url)
	w := &worker{ended: make(chan error, 1)}
	logs := natspipe.WithErrorHandler(func(err error) { x.t.Log(name, err) })
	w.source = must(natspipe.NewSource[int](soon(x.t), js, x.in, name, append([]natspipe.Option{logs}, source...)...))
	w.sink = must(natspipe.NewSink[int](soon(x.t), js, x.out, append([]natspipe.Option{logs}, sink...)...))
	stop, drain := context.WithCancel(context.Background())
	ctx, cancel := context.WithCancelCause(context.Background())
	w.stop, w.cancel = drain, cancel
	go func() {
		w.ended <- pipeline.Then(stage, w.sink.Stage()).ForEach(ctx, pipeline.Until(stop, w.source.All), func(context.Context, int) error { return nil })
	}()
	x.t.Cleanup(func() { w.end(x.t) })
	return w
}

// end drains a worker, and returns the error of its run.
func (w *worker) end(t testing.TB) (err error) {
	t.Helper()
	w.stop()
	select {
	case err = <-w.ended:
		w.ended <- err
	case <-soon(t).Done():
		t.Error("the run does not end")
	}
	must0(w.source.Close())
	return err
}

// stored returns the values of a stream in its order.
func stored(t testing.TB, js jetstream.JetStream, stream string) (all []int) {
	t.Helper()
	s := must(js.Stream(soon(t), stream))
	info := s.CachedInfo().State
	for seq := info.FirstSeq; seq > 0 && seq <= info.LastSeq; seq++ {
		m := must(s.GetMsg(soon(t), seq))
		var v int
		must(fmt.Sscan(string(m.Data), &v))
		all = append(all, v)
	}
	return all
}

// messages returns how many messages a stream has.
func messages(t testing.TB, js jetstream.JetStream, stream string) int {
	return int(must(js.Stream(soon(t), stream)).CachedInfo().State.Msgs)
}

// once fails the test unless a stream has each number from 0 to n-1 once.
func once(t testing.TB, js jetstream.JetStream, stream string, n int) {
	t.Helper()
	l := testkit.NewLedger(n)
	for _, v := range stored(t, js, stream) {
		l.Note(v)
	}
	l.ExactlyOnce(t)
}
