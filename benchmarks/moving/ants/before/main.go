// Types prints what kind of page is at each address that it is given.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"sync"

	"github.com/panjf2000/ants/v2"
)

func main() {
	urls := os.Args[1:]
	kinds, errs := make([]string, len(urls)), make([]error, len(urls))
	p, err := ants.NewPool(8)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Release()
	var wg sync.WaitGroup
	for i, url := range urls {
		wg.Add(1)
		err := p.Submit(func() {
			defer wg.Done()
			kinds[i], errs[i] = kind(url)
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	wg.Wait()
	for i, url := range urls {
		if errs[i] != nil {
			log.Fatal(errs[i])
		}
		fmt.Println(url, kinds[i])
	}
}

func kind(url string) (string, error) {
	resp, err := http.Head(url)
	if err != nil {
		return "", err
	}
	return resp.Header.Get("Content-Type"), resp.Body.Close()
}
