package promtandem_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/promtandem"
)

// What a server scrapes. Without WithRegisterer, the metrics are where
// promhttp.Handler finds them.
func ExampleRecordStats() {
	reg := prometheus.NewRegistry()
	mail := pool.New(4, func(_ context.Context, to string) (string, error) { return "sent to " + to, nil })
	defer mail.Close()
	stop, err := promtandem.RecordStats("mail", mail, promtandem.WithRegisterer(reg))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	if _, err := mail.Do(context.Background(), "ann"); err != nil {
		fmt.Println(err)
	}

	w := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "tandem_pool_tasks_ended_total") {
			fmt.Print(line)
		}
	}
	// Output:
	// tandem_pool_tasks_ended_total{outcome="cancelled",pool="mail"} 0
	// tandem_pool_tasks_ended_total{outcome="completed",pool="mail"} 1
	// tandem_pool_tasks_ended_total{outcome="failed",pool="mail"} 0
}

// A broadcast with few subscriptions, whose names are known: each has its own metrics. The
// helper records whatever can be recorded.
func ExampleStats() {
	prices := broadcast.New[float64]()
	stop, err := recordAll("prices", prices, promtandem.PerSubscription())
	if err != nil {
		fmt.Println(err)
		return
	}
	stop()
	fmt.Println("recorded")
	// Output: recorded
}

func recordAll[S promtandem.Stats](name string, x interface{ Stats() S }, opts ...promtandem.Option) (func(), error) {
	return promtandem.RecordStats(name, x, opts...)
}
