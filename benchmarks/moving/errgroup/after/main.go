// Check fails if one of the addresses that it is given does not answer with 200 OK.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"slices"

	"github.com/tandemgo/tandem/fan"
)

func main() {
	urls := slices.Compact(slices.Sorted(slices.Values(os.Args[1:])))
	if err := fan.ForEach(context.Background(), 8, slices.Values(urls), check); err != nil {
		log.Fatal(err)
	}
	fmt.Println("all", len(urls), "addresses answer")
}

func check(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}
