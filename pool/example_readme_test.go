package pool_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tandemgo/tandem/pool"
)

type Page struct{ Title string }

func fetch(_ context.Context, url string) (Page, error) {
	if url == "https://example.com/gone" {
		return Page{}, errors.New(url + ": 404 Not Found")
	}
	return Page{Title: "the page at " + url}, nil
}

// This is how README begins.
func Example_readme() {
	urls := []string{"https://example.com/a", "https://example.com/gone", "https://example.com/b"}
	use := func(p Page) { fmt.Println(p.Title) }

	read := func(ctx context.Context) error {
		p := pool.New(8, fetch) // func fetch(ctx context.Context, url string) (Page, error)
		defer p.Close()

		for page, err := range p.Map(ctx, slices.Values(urls)) { // eight at a time, results in order
			if err != nil {
				return err // leaving the loop cancels the rest and waits for it
			}
			use(page) // a Page, not an interface{}
		}
		return nil
	}
	fmt.Println(read(context.Background()))
	// Output:
	// the page at https://example.com/a
	// task 1: https://example.com/gone: 404 Not Found
}
