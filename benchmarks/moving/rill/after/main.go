// Report prints the sizes of the addresses that it is given, four to a line.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/tandemgo/tandem/pipeline"
)

func main() {
	ctx := context.Background()
	sizes := pipeline.Map(size, pipeline.WithWorkers(8))
	lines := pipeline.Then(sizes, pipeline.Batch[int64](4, 0))
	err := lines.ForEach(ctx, pipeline.Values(os.Args[1:]...), func(_ context.Context, line []int64) error {
		_, err := fmt.Println(line)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
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
