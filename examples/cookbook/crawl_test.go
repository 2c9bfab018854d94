package cookbook_test

import (
	"context"
	"fmt"
	"io"
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
	var seen sync.Map // addresses that are done or in line
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
		res, err := client.Do(req) // in line behind all others of this host
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		for _, link := range href.FindAllSubmatch(body, -1) {
			if u, err := req.URL.Parse(string(link[1])); err == nil {
				visit(u.String()) // a task may give its own pool more of them
			}
		}
		return req.URL.Path, err
	})
	defer p.Close()
	ctx := context.Background()
	g = p.Group(ctx, pool.CollectAll()) // a page that is broken does not end it
	visit(blog.URL + "/")
	paths, err := g.Wait(ctx) // until no page has brought up a new one
	slices.Sort(paths)
	fmt.Println(paths, err)
	// Output: [/ / /about /about] <nil>
}
