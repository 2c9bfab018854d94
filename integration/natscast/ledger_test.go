package natscast_test

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tandemgo/tandem/broadcast/natscast"
	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/integration/internal/proxy"
	"github.com/tandemgo/tandem/internal/testkit"
)

// Three processes send to each other over a network that fails repeatedly. On core NATS
// each of them receives every accepted value once or counts it as missing; on JetStream
// each receives every accepted value once.
func TestConservation(t *testing.T) {
	const processes, breaks = 3, 12
	each := 3000
	if testing.Short() {
		each = 500
	}
	both(t, func(t *testing.T, kind string) {
		srv := natsserver.Start(t)
		var networks [processes]*proxy.Proxy
		var casts [processes]*natscast.Broadcast[int]
		var readers [processes]*follower
		var conns [processes]*nats.Conn
		for i := range processes {
			networks[i] = proxy.New(t, srv.Addr())
			conns[i] = natsserver.Connect(t, "nats://"+networks[i].Addr())
			casts[i] = kinds[kind](t, conns[i], "s", natscast.WithCapacity(1<<16), natscast.WithHeartbeat(100*time.Millisecond))
			readers[i] = follow(t, casts[i])
		}
		if kind == "core" {
			for _, b := range casts {
				eventually(t, "they know one another", func() bool { return b.Stats().Origins == processes })
			}
		}
		// accepted has the accepted values, and doubtful those with an unclear outcome.
		accepted, doubtful := testkit.NewLedger(processes*each), testkit.NewLedger(processes*each)
		testkit.Watchdog(t, func() {
			var sending sync.WaitGroup
			for i, b := range casts {
				sending.Go(func() {
					for v := i * each; v < (i+1)*each; v++ {
						switch err := b.Send(t.Context(), v); {
						case err == nil:
							accepted.Note(v)
						case errors.Is(err, natscast.ErrUncertain):
							doubtful.Note(v)
						case errors.Is(err, natscast.ErrDisconnected):
							doubtful.Note(v) // it may have been numbered
							eventually(t, "it is back", conns[i].IsConnected)
						default:
							t.Errorf("Send(%d): %v", v, err)
						}
						if kind == "core" && v%10 == 0 { // otherwise all would be sent before the network fails
							_ = conns[i].FlushTimeout(100 * time.Millisecond)
						}
					}
				})
			}
			for k := range breaks {
				before := casts[0].Stats().Sent
				eventually(t, "values are sent", func() bool {
					return casts[0].Stats().Sent > before+uint64(each/breaks/2) || casts[0].Stats().Sent+uint64(each/4) > uint64(each)
				})
				if i := rand.IntN(processes); k%3 == 2 {
					networks[i].Cut()
					eventually(t, "it is noticed", func() bool { return !conns[i].IsConnected() })
					networks[i].Pass()
				} else {
					networks[i].Drop()
				}
			}
			sending.Wait()
		})
		for i, f := range readers {
			eventually(t, "all is accounted for", func() bool { return f.sum() >= accepted.Total() })
			if n := f.sum(); n > accepted.Total()+doubtful.Total() {
				t.Errorf("process %d: %d values came or are missing, %d were accepted and %d may have been", i, n, accepted.Total(), doubtful.Total())
			}
			missed, unknown := f.missing()
			t.Logf("process %d: %d came, %d are missing; %d accepted, %d doubtful", i, f.sum()-int(missed), missed, accepted.Total(), doubtful.Total())
			if n := f.sum() - int(missed); n == 0 || kind == "stream" && missed != 0 {
				t.Errorf("process %d: %d came, %d are missing", i, n, missed)
			}
			if unknown != 0 {
				t.Errorf("process %d: %d gaps have no number", i, unknown)
			}
			seen := testkit.NewLedger(processes * each)
			last := [processes]int{-1, -1, -1}
			for _, e := range f.all() {
				v, err := strconv.Atoi(e)
				if err != nil {
					continue // a gap
				}
				seen.Note(v)
				if from := v / each; v <= last[from] {
					t.Fatalf("process %d: value %d after %d", i, v, last[from])
				}
				last[v/each] = v
				if accepted.Seen(v)+doubtful.Seen(v) == 0 {
					t.Errorf("process %d: value %d was refused, and came", i, v)
				}
			}
			seen.AtMostOnce(t)
			if kind == "stream" {
				for v := range processes * each {
					if accepted.Seen(v) > seen.Seen(v) {
						t.Errorf("process %d: value %d was accepted, and never came", i, v)
					}
				}
			}
		}
	})
}
