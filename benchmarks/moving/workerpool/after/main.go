// Longest prints which of the addresses that it is given has the most to say, and logs
// those that do not answer.
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
	longest, most := "", int64(-1)
	p := pool.New(8, size)
	defer p.Close()
	g := p.Group(ctx, pool.CollectAll())
	for _, url := range urls {
		g.Go(url)
	}
	for r, err := range g.Results(ctx) {
		if err != nil {
			log.Print(err)
			continue
		}
		if r.Value > most {
			longest, most = r.Task, r.Value
		}
	}
	fmt.Println(longest, most)
}

func size(_ context.Context, url string) (int64, error) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return io.Copy(io.Discard, resp.Body)
}
