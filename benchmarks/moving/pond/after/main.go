// Sizes prints how many bytes each address that it is given has.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/tandemgo/tandem/pool"
)

func main() {
	ctx, urls := context.Background(), os.Args[1:]
	p := pool.New(8, size, pool.WithQueue(100))
	defer p.Close()
	g := p.Group(ctx)
	for _, url := range urls {
		g.Go(url) // false once the group has failed: Wait returns the reason
	}
	sizes, err := g.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for i, size := range sizes {
		fmt.Println(urls[i], size)
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
