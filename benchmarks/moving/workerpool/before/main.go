// Longest prints which of the addresses that it is given has the most to say, and logs
// those that do not answer.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sync"

	"github.com/gammazero/workerpool"
)

func main() {
	var mu sync.Mutex
	longest, most := "", int64(-1)
	wp := workerpool.New(8)
	for _, url := range os.Args[1:] {
		wp.Submit(func() {
			n, err := size(url)
			if err != nil {
				log.Print(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if n > most {
				longest, most = url, n
			}
		})
	}
	wp.StopWait()
	fmt.Println(longest, most)
}

func size(url string) (int64, error) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return io.Copy(io.Discard, resp.Body)
}
