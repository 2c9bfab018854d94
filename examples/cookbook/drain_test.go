package cookbook_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/tandemgo/tandem/pipeline"
)

// Drain on SIGINT: after Ctrl-C a program takes no more orders, finishes those that it has
// taken, and says how many these are.
func Example_drainOnInterrupt() {
	stop, restore := signal.NotifyContext(context.Background(), os.Interrupt)
	defer restore()
	orders := make(chan int)
	taken := make(chan int)
	go func() { // orders come for ever; Ctrl-C comes after the hundredth
		for n := 1; ; n++ {
			if n == 101 {
				self, _ := os.FindProcess(os.Getpid())
				_ = self.Signal(os.Interrupt)
				<-stop.Done()
				taken <- n - 1
				return
			}
			orders <- n
		}
	}()

	var seen pipeline.Observer
	ship := pipeline.Then(
		pipeline.Map(func(_ context.Context, order int) (int, error) {
			if order%10 == 0 {
				return 0, pipeline.ErrSkip // sold out
			}
			return order, nil
		}, pipeline.WithName("pack"), pipeline.WithWorkers(4)),
		pipeline.Batch[int](8, 0)).Observe(&seen)
	parcels := 0
	// The context of the run is another one: it does not end with Ctrl-C.
	err := ship.ForEach(context.Background(), pipeline.Until(stop, pipeline.Chan(orders)),
		func(_ context.Context, batch []int) error { parcels += len(batch); return nil })
	pack := seen.Stats().Stage("pack")
	fmt.Println("all that was taken is accounted for:", int(pack.In) == <-taken, int(pack.Done) == parcels, err)
	fmt.Println(pack.In == 100, pack.Done, pack.Skipped, pack.Failed, pack.Discarded)
	// Output:
	// all that was taken is accounted for: true true <nil>
	// true 90 10 0 0
}
