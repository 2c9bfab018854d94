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
	urls := os.Args[1:]
	longest, most := "", int64(-1)
	p := pool.New(8, size)
	defer p.Close()
	g := p.Group(context.Background(), pool.CollectAll())
	for _, url := range urls {
		_ = g.Go(url) // what it returns is among the results as well
	}
	for i, n := range g.Results() {
		if n.Err != nil {
			log.Print(n.Err)
			continue
		}
		if n.Value > most {
			longest, most = urls[i], n.Value
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
