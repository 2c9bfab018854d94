// Size prints how many bytes all the addresses that it is given have together.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/sourcegraph/conc/pool"
)

func main() {
	p := pool.NewWithResults[int64]().WithMaxGoroutines(8).
		WithContext(context.Background()).WithCancelOnError().WithFirstError()
	for _, url := range os.Args[1:] {
		p.Go(func(ctx context.Context) (int64, error) { return size(ctx, url) })
	}
	sizes, err := p.Wait()
	if err != nil {
		log.Fatal(err)
	}
	total := int64(0)
	for _, size := range sizes {
		total += size
	}
	fmt.Println(len(sizes), "pages,", total, "bytes")
}

func size(ctx context.Context, url string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return io.Copy(io.Discard, resp.Body)
}
