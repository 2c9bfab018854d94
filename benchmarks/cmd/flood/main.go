// Flood is a server with httplimit that a load generator calls with more keys than it keeps.
//
//	go run ./cmd/flood &
//	wrk -t2 -c32 -d60s -s cmd/flood/flood.lua http://127.0.0.1:8080
//
// Each second it prints what it has answered, its memory, and whether new users were served.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/httplimit"
)

func main() {
	users := ratelimit.NewKeyed[string](ratelimit.Per(10, time.Hour), 10) // keeps 1,048,576
	user := func(r *http.Request) string { return r.URL.Path }
	handler := httplimit.Middleware(users, user)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	listener, err := net.Listen("tcp", "127.0.0.1:8080")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() { _ = http.Serve(listener, handler) }()
	fmt.Println("    s   requests     keys  forgotten  denied  heap MB  heavy  new users")
	var fresh, served int
	start := time.Now()
	for range time.Tick(time.Second) {
		heavy := "denied" // it has spent its burst
		for range 11 {
			if code := get("/heavy"); code != http.StatusTooManyRequests {
				heavy = "served"
			} else {
				heavy = "denied"
			}
		}
		for range 20 {
			fresh++
			if get(fmt.Sprintf("/fresh-%d", fresh)) == http.StatusOK {
				served++
			}
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		st := users.Stats()
		fmt.Printf("%5.0f %10d %8d %10d %7d %8.0f %6s %6d of %d\n", time.Since(start).Seconds(), st.Granted+st.Denied, st.Keys,
			st.Forgotten, st.Denied, float64(m.HeapAlloc)/1e6, heavy, served, fresh)
	}
}

func get(path string) int {
	answer, err := http.Get("http://127.0.0.1:8080" + path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}
