package cookbook_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/sse"
	"github.com/tandemgo/tandem/fan"
)

// Live progress to browsers: work tells how far it is and never waits for anybody
// who looks on. A viewer that is slow sees fewer steps, and the last one always.
func Example_liveProgress() {
	type progress struct{ Done, Total int }
	news := broadcast.New[progress](broadcast.WithCapacity(16))
	server := httptest.NewServer(&sse.Handler[progress]{
		Source: news,
		Replay: 1,                      // who comes late is told at once where it is
		Policy: broadcast.SkipToLatest, // nobody wants to see old steps
	})
	defer server.Close()

	// In a page: new EventSource("/progress").onmessage = …
	res, err := http.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()

	work := make([]int, 500)
	var done atomic.Int64
	_, err = fan.Map(context.Background(), 4, work, func(_ context.Context, n int) (int, error) {
		// There is no Block subscriber, so this does not wait.
		_ = news.TrySend(progress{int(done.Add(1)), len(work)})
		return n, nil
	})
	_ = news.TrySend(progress{len(work), len(work)})
	news.Close() // viewers get what is left, then the event end
	fmt.Println("work:", err)

	last, steps := "", 0
	for in := bufio.NewScanner(res.Body); in.Scan(); {
		if data, ok := strings.CutPrefix(in.Text(), "data: "); ok && strings.Contains(data, "Total") {
			last = data
			steps++
		}
	}
	fmt.Println("steps seen:", steps > 0 && steps <= len(work)+1)
	fmt.Println("at the end:", last)
	// Output:
	// work: <nil>
	// steps seen: true
	// at the end: {"Done":500,"Total":500}
}
