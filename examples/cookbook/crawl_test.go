package cookbook_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/httplimit"
)

// Crawl politely: follow all links, each page once, many hosts at the same time,
// and each host no more often than every ten milliseconds.
func Example_crawlPolitely() {
	var blog, shop *httptest.Server // whose pages link to each other
	page := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `<a href="/">home</a> <a href="/about">about</a> <a href=%q>blog</a> <a href=%q>shop</a>`, blog.URL+"/", shop.URL+"/")
	}
	blog, shop = httptest.NewServer(http.HandlerFunc(page)), httptest.NewServer(http.HandlerFunc(page))
	defer blog.Close()
	defer shop.Close()

	// The limit is in the client, so that redirects and retries count as well.
	client := &http.Client{Transport: httplimit.NewTransport(nil,
		ratelimit.NewKeyed[string](ratelimit.Every(10*time.Millisecond), 1), httplimit.ByHost, httplimit.WithRetries(3))}
	href := regexp.MustCompile(`href="([^"]*)"`)

	var g *pool.Group[string, string]
	var seen sync.Map // addresses that are done or queued
	visit := func(address string) {
		if _, twice := seen.LoadOrStore(address, true); !twice {
			g.Go(address)
		}
	}
	p := pool.New(8, func(ctx context.Context, address string) (string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return "", err
		}
		res, err := client.Do(req) // waits its turn behind the others of this host
		if err != nil {
			return "", err
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		for _, link := range href.FindAllSubmatch(body, -1) {
			if u, err := req.URL.Parse(string(link[1])); err == nil {
				visit(u.String()) // a task may submit tasks to its own pool
			}
		}
		return req.URL.Path, err
	}, pool.WithQueue(math.MaxInt)) // otherwise a task that finds many pages waits for room
	defer func() { _ = p.Close() }()
	ctx := context.Background()
	g = p.Group(ctx, pool.CollectAll()) // a broken page does not end the group
	visit(blog.URL + "/")
	paths, err := g.Wait(ctx) // returns when no page leads to a new one
	slices.Sort(paths)
	fmt.Println(paths, err)
	// Output: [/ / /about /about] <nil>
}
