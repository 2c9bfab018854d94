// Poll prints what each address that it is given answers, and asks no more often than
// 20 times a second, after the first five.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"

	"golang.org/x/time/rate"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	limiter, failed := rate.NewLimiter(20, 5), 0
	for _, url := range os.Args[1:] {
		status, err := get(ctx, limiter, url)
		if err != nil {
			log.Fatal(err)
		}
		if status != "200 OK" {
			failed++
		}
		fmt.Println(url, status)
	}
	fmt.Println(failed, "failed")
}

func get(ctx context.Context, limiter *rate.Limiter, url string) (string, error) {
	if err := limiter.Wait(ctx); err != nil {
		return "", err
	}
	resp, err := http.Get(url)
	if err != nil {
		return "", err
	}
	return resp.Status, resp.Body.Close()
}
