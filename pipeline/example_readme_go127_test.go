//go:build go1.27

package pipeline_test

import (
	"context"
	"fmt"
	"time"

	"github.com/tandemgo/tandem/pipeline"
)

// This is the pipeline that README shows.
func Example_readme() {
	shop := newShop()
	defer shop.Close()
	fetch, parse, store := getFrom(shop), parsePrice, storePrices
	urls := pipeline.Seq(productURLs(shop, 250))

	total := 0
	run := func(ctx context.Context) error {
		load := pipeline.Map(fetch, pipeline.WithWorkers(8), pipeline.WithName("fetch")).
			Map(parse, pipeline.WithName("parse")).
			Filter(hasPrice).
			Batch(100, time.Second). // or when the first of them is a second old
			Map(store, pipeline.WithWorkers(2), pipeline.WithName("store"))

		for stored, err := range load.Run(ctx, urls) {
			if err != nil {
				return err // the first one, with the name of its stage
			}
			total += stored
		}
		return nil
	}
	err := run(context.Background())
	fmt.Println(total, "stored, error:", err)
	// Output: 200 stored, error: <nil>
}
