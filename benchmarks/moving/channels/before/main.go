// Lines prints how many lines of text are at all the addresses that it is given.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sync"
)

type page struct {
	text []byte
	err  error
}

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	urls := make(chan string)
	go func() {
		defer close(urls)
		for _, url := range os.Args[1:] {
			select {
			case urls <- url:
			case <-ctx.Done():
				return
			}
		}
	}()
	pages := make(chan page)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for url := range urls {
				text, err := get(ctx, url)
				select {
				case pages <- page{text, err}:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	go func() {
		wg.Wait()
		close(pages)
	}()
	lines := 0
	for p := range pages {
		if p.err != nil {
			log.Fatal(p.err)
		}
		lines += bytes.Count(p.text, []byte("\n"))
	}
	fmt.Println(lines, "lines")
}

func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}
