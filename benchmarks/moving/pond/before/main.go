// Sizes prints how many bytes each address that it is given has.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/alitto/pond/v2"
)

func main() {
	ctx, urls := context.Background(), os.Args[1:]
	p := pond.NewResultPool[int64](8, pond.WithQueueSize(100))
	defer p.StopAndWait()
	g := p.NewGroupContext(ctx)
	for _, url := range urls {
		g.SubmitErr(func() (int64, error) { return size(ctx, url) })
	}
	sizes, err := g.Wait()
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
