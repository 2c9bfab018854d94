package natscast_test

import (
	"context"
	"encoding/json"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/natscast"
	"github.com/tandemgo/tandem/integration/internal/natsserver"
)

// A tick is the value of the benchmarks.
type tick struct {
	Symbol string
	Price  float64
	Volume int
}

const (
	block  = 1024      // values sent between two checks of the arrivals
	window = 8 * block // values that may be in flight
)

// A contestant receives the values sent on a subject, decodes them, and calls got.
type contestant struct {
	name        string
	labelled    bool // the messages have our header
	subscribers int
	open        func(tb testing.TB, nc *nats.Conn, subject string, subscribers int, got func())
}

// raw is a plain subscription of nats.go for each subscriber.
func raw(tb testing.TB, nc *nats.Conn, subject string, subscribers int, got func()) {
	for range subscribers {
		n := 0
		_, err := nc.Subscribe(subject, func(m *nats.Msg) {
			var v tick
			if err := json.Unmarshal(m.Data, &v); err != nil || v.Volume == 0 {
				tb.Errorf("%+v, %v", v, err)
			}
			if n++; n%block == 0 {
				got()
			}
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		tb.Fatal(err)
	}
}

// cast is one natscast with a local subscription for each subscriber.
func cast(tb testing.TB, nc *nats.Conn, subject string, subscribers int, got func()) {
	b, err := natscast.New[tick](nc, subject, natscast.WithCapacity(2*window))
	if err != nil {
		tb.Fatal(err)
	}
	var readers sync.WaitGroup
	for range subscribers {
		s, err := b.Subscribe(broadcast.WithOverflow(broadcast.Disconnect)) // a subscriber that misses a value fails
		if err != nil {
			tb.Fatal(err)
		}
		readers.Go(func() {
			for n := 1; ; n++ {
				v, err := s.Next(context.Background())
				switch {
				case err == broadcast.ErrClosed:
					return
				case err != nil || v.Volume == 0:
					tb.Errorf("%+v, %v", v, err)
					return
				}
				if n%block == 0 {
					got()
				}
			}
		})
	}
	tb.Cleanup(func() {
		b.Close()
		readers.Wait()
	})
}

// measure runs rounds of all contestants in turn and reports the medians, for each
// value delivered to a subscriber: the time, and the work of all processors.
func measure(b *testing.B, contestants ...contestant) {
	srv := natsserver.Start(b)
	runs := make([]func() (took, work time.Duration), len(contestants))
	round := max(8*block, 128*block/contestants[0].subscribers/block*block)
	for i, c := range contestants {
		blocks := make(chan struct{}, c.subscribers*(window/block+1))
		subject := "bench." + strconv.Itoa(i)
		c.open(b, natsserver.Connect(b, srv.URL()), subject, c.subscribers, func() { blocks <- struct{}{} })
		from := natsserver.Connect(b, srv.URL())
		seq := 0
		runs[i] = func() (took, work time.Duration) {
			runtime.GC()
			start, worked := time.Now(), cpuTime()
			ahead := 0 // blocks in flight
			for sent := 0; sent < round || ahead > 0; {
				if sent < round && ahead < window/block {
					publish(b, from, subject, seq, c.labelled)
					sent, seq, ahead = sent+block, seq+block, ahead+1
					continue
				}
				for range c.subscribers {
					<-blocks
				}
				ahead--
			}
			return time.Since(start), cpuTime() - worked
		}
	}
	took, work := make([][]time.Duration, len(contestants)), make([][]time.Duration, len(contestants))
	for b.Loop() {
		for i, run := range runs {
			t, w := run()
			took[i], work[i] = append(took[i], t), append(work[i], w)
		}
	}
	median := func(all []time.Duration, subscribers int) float64 {
		slices.Sort(all)
		return float64(all[len(all)/2]) / float64(round*subscribers)
	}
	for i, c := range contestants {
		b.ReportMetric(median(took[i], c.subscribers), c.name+"-ns/delivery")
		b.ReportMetric(median(work[i], c.subscribers), c.name+"-cpu-ns/delivery")
	}
	b.ReportMetric(0, "ns/op") // the total of all rounds is meaningless
}

// publish sends a block.
func publish(b *testing.B, nc *nats.Conn, subject string, seq int, labelled bool) {
	payload := []byte(`{"Symbol":"TNDM","Price":17.25,"Volume":300}`)
	m := &nats.Msg{Subject: subject, Data: payload}
	if labelled {
		m.Header = nats.Header{"Tandem-Cast": {""}}
	}
	for i := range block {
		if labelled {
			m.Header["Tandem-Cast"][0] = "v " + strconv.Itoa(seq+i) + " 32000 7Q2MVXKD M5XW4RZQ2FVBKT7HJ6PLNDCGAE"
		}
		if err := nc.PublishMsg(m); err != nil {
			b.Fatal(err)
		}
	}
}

// One subscriber: the cost of natscast compared with a plain subscription that decodes
// the same messages, with and without the header that numbers the values.
func BenchmarkOneSubscriber(b *testing.B) {
	measure(b,
		contestant{"raw", false, 1, raw},
		contestant{"raw-header", true, 1, raw},
		contestant{"natscast", true, 1, cast},
	)
}

// A hundred subscribers in one process: a plain subscription for each, or one natscast
// for all.
func BenchmarkHundredSubscribers(b *testing.B) {
	measure(b,
		contestant{"raw", false, 100, raw},
		contestant{"natscast", true, 100, cast},
	)
}
