package cookbook_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/httplimit"
)

// A web server with limits and a graceful shutdown: each client has a limit, slow work
// goes to a pool with a bounded queue, and accepted work is done before the program
// ends.
func Example_webServer() {
	program, interrupt := context.WithCancel(context.Background()) // in main: signal.NotifyContext
	defer interrupt()

	var sent atomic.Int64
	mails := pool.New(4, func(_ context.Context, to string) (struct{}, error) { sent.Add(1); return struct{}{}, nil },
		pool.WithQueue(100), pool.WithErrorHandler(func(_ context.Context, err error) { fmt.Println("mail:", err) }))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /mail", func(w http.ResponseWriter, r *http.Request) {
		// The mail outlives the request, whose context ends with the answer.
		if err := mails.TryGo(context.WithoutCancel(r.Context()), r.FormValue("to")); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable) // full, or about to end
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	limit := httplimit.Middleware(ratelimit.NewKeyed[netip.Prefix](ratelimit.Every(time.Hour), 3), httplimit.ByIP)
	server := &http.Server{Handler: limit(mux), ReadHeaderTimeout: 5 * time.Second}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for range 4 {
		res, err := client.Post("http://"+listener.Addr().String()+"/mail?to=ann", "", nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = res.Body.Close()
		fmt.Println(res.Status)
	}

	interrupt() // as Ctrl-C does
	<-program.Done()
	// From the outside in: first accept no more requests, then finish the accepted
	// work.
	limited, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err = errors.Join(server.Shutdown(limited), mails.Shutdown(limited))
	fmt.Println(sent.Load(), "sent,", err, errors.Is(<-served, http.ErrServerClosed))
	// Output:
	// 202 Accepted
	// 202 Accepted
	// 202 Accepted
	// 429 Too Many Requests
	// 3 sent, <nil> true
}
