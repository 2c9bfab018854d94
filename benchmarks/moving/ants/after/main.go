// Types prints what kind of page is at each address that it is given.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/tandemgo/tandem/pool"
)

func main() {
	ctx, urls := context.Background(), os.Args[1:]
	p := pool.New(8, kind)
	defer p.Close()
	g := p.Group(ctx)
	for _, url := range urls {
		g.Go(url) // false once the group has failed: Wait returns the reason
	}
	kinds, err := g.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for i, url := range urls {
		fmt.Println(url, kinds[i])
	}
}

func kind(_ context.Context, url string) (string, error) {
	resp, err := http.Head(url)
	if err != nil {
		return "", err
	}
	return resp.Header.Get("Content-Type"), resp.Body.Close()
}
