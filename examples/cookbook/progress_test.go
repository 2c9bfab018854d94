package cookbook_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/sse"
	"github.com/tandemgo/tandem/fan"
)

// Live progress to browsers: the work reports its progress and never waits for a
// viewer. A slow viewer sees fewer steps, but always the last one.
func Example_liveProgress() {
	type progress struct{ Done, Total int }
	news := broadcast.New[progress](broadcast.WithCapacity(16))
	server := httptest.NewServer(&sse.Handler[progress]{
		Source:   sse.From(news),
		Replay:   1,                      // a late viewer gets the present state at once
		Overflow: broadcast.SkipToLatest, // old steps are of no use
	})
	defer server.Close()

	// In a page: new EventSource("/progress").onmessage = …
	res, err := http.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = res.Body.Close() }()

	files := slices.Repeat([]string{"photo.png"}, 500)
	upload := func(_ context.Context, name string) (string, error) { return name, nil }
	done := 0
	for _, err := range fan.Seq(context.Background(), 4, slices.Values(files), upload) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		// There are four workers, but the loop is one goroutine, so the steps are in
		// order. TrySend fails only if a Block subscriber is full, and there is none.
		done++
		_ = news.TrySend(progress{done, len(files)})
	}
	news.Close() // viewers get the remaining steps, then the event end

	last, steps := "", 0
	for in := bufio.NewScanner(res.Body); in.Scan(); {
		if data, ok := strings.CutPrefix(in.Text(), "data: "); ok && strings.Contains(data, "Total") {
			last = data
			steps++
		}
	}
	fmt.Println("steps seen:", steps > 0 && steps <= len(files))
	fmt.Println("at the end:", last)
	// Output:
	// steps seen: true
	// at the end: {"Done":500,"Total":500}
}
