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
	"slices"

	"github.com/tandemgo/tandem/fan"
)

func main() {
	ctx, lines := context.Background(), 0
	for text, err := range fan.Seq(ctx, 8, slices.Values(os.Args[1:]), get, fan.Unordered()) {
		if err != nil {
			log.Fatal(err)
		}
		lines += bytes.Count(text, []byte("\n"))
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
