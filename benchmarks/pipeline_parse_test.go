package benchmarks

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"sync"
	"testing"

	"github.com/tandemgo/tandem/pipeline"
)

// An event is a line of a log in JSON.
type event struct {
	ID      int      `json:"id"`
	Service string   `json:"service"`
	Level   string   `json:"level"`
	Message string   `json:"message"`
	Millis  float64  `json:"millis"`
	Tags    []string `json:"tags"`
}

func parse(_ context.Context, line []byte) (event, error) {
	var e event
	err := json.Unmarshal(line, &e)
	return e, err
}

// parseWorkers is the number of workers of BenchmarkPipelineParse, and parseBuffer the
// capacity of the channels that a program by hand would give them.
const (
	parseWorkers = 4
	parseBuffer  = 128
)

// A parsing parses lines and calls sink with each event.
type parsing = func(ctx context.Context, lines iter.Seq[[]byte], sink func(event)) error

// BenchmarkPipelineParse parses lines of JSON of 130 bytes on 4 workers, with the results in
// the order of the lines and as they are ready; one operation is one line. The rival is
// written by hand on channels with a buffer of 128. The loop parses on one goroutine: its
// time, by the number of processors, is the floor.
func BenchmarkPipelineParse(b *testing.B) {
	lines := make([][]byte, 1024)
	for i := range lines {
		lines[i] = fmt.Appendf(nil, `{"id":%d,"service":"checkout","level":"info","message":"an order has been paid","millis":%d.5,"tags":["eu","retry"]}`, i, i%400)
	}
	for _, c := range []struct {
		name string
		run  parsing
	}{
		{"ordered/lib=tandem", parseByPipeline()},
		{"ordered/lib=channels-128", parseOrderedByChannels},
		{"ordered/lib=loop", parseInLoop},
		{"ready/lib=tandem", parseByPipeline(pipeline.Unordered())},
		{"ready/lib=channels-128", parseByChannels},
	} {
		b.Run("results="+c.name, func(b *testing.B) {
			measure(b, func(ops int) { parseAll(b, c.run, lines, ops) })
		})
	}
}

// parseAll parses n lines, and fails b if not all events have come.
func parseAll(b *testing.B, run parsing, lines [][]byte, n int) {
	b.Helper()
	source := func(yield func([]byte) bool) {
		for i := range n {
			if !yield(lines[i%len(lines)]) {
				return
			}
		}
	}
	got, sum, want := 0, 0, 0
	err := run(b.Context(), source, func(e event) {
		got++
		sum += e.ID
	})
	for i := range n {
		want += i % len(lines)
	}
	if err != nil || got != n || sum != want {
		b.Fatalf("%d events, sum of ids %d, error %v; want %d, %d", got, sum, err, n, want)
	}
}

func parseByPipeline(opts ...pipeline.Option) parsing {
	stage := pipeline.Map(parse, append(opts, pipeline.WithWorkers(parseWorkers))...)
	return func(ctx context.Context, lines iter.Seq[[]byte], sink func(event)) error {
		return stage.ForEach(ctx, pipeline.Seq(lines), func(_ context.Context, e event) error {
			sink(e)
			return nil
		})
	}
}

// parseInLoop is the floor on one processor.
func parseInLoop(ctx context.Context, lines iter.Seq[[]byte], sink func(event)) error {
	for line := range lines {
		e, err := parse(ctx, line)
		if err != nil {
			return err
		}
		sink(e)
	}
	return nil
}

// A parsed is an event, or the error of its line.
type parsed struct {
	event event
	err   error
}

func parseByChannels(ctx context.Context, lines iter.Seq[[]byte], sink func(event)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in, out := make(chan []byte, parseBuffer), make(chan parsed, parseBuffer)
	go func() {
		defer close(in)
		for line := range lines {
			select {
			case in <- line:
			case <-ctx.Done():
				return
			}
		}
	}()
	var wg sync.WaitGroup
	for range parseWorkers {
		wg.Go(func() {
			for line := range in {
				e, err := parse(ctx, line)
				select {
				case out <- parsed{e, err}:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	go func() {
		wg.Wait()
		close(out)
	}()
	for r := range out {
		if r.err != nil {
			return r.err
		}
		sink(r.event)
	}
	return context.Cause(ctx)
}

// parseOrderedByChannels keeps the order with a channel of channels, of which each is for
// the result of one line.
func parseOrderedByChannels(ctx context.Context, lines iter.Seq[[]byte], sink func(event)) error {
	type job struct {
		line []byte
		done chan parsed
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in, pending := make(chan job, parseBuffer), make(chan chan parsed, parseBuffer)
	go func() {
		defer close(pending)
		defer close(in)
		for line := range lines {
			j := job{line, make(chan parsed, 1)}
			select {
			case pending <- j.done:
			case <-ctx.Done():
				return
			}
			select {
			case in <- j:
			case <-ctx.Done():
				return
			}
		}
	}()
	for range parseWorkers {
		go func() {
			for j := range in {
				e, err := parse(ctx, j.line)
				j.done <- parsed{e, err}
			}
		}()
	}
	for done := range pending {
		select {
		case r := <-done:
			if r.err != nil {
				return r.err
			}
			sink(r.event)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return context.Cause(ctx)
}
