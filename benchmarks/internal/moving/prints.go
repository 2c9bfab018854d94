// Package moving runs the programs of benchmarks/moving, each of which is there
// twice: as it was with another library, and as it is with Tandem.
package moving

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// pages are on the site that the programs are given the addresses of.
var pages = map[string]string{
	"/":       "home of nothing",
	"/about":  "about us: we are few",
	"/blog":   "today it rained\ntomorrow it will not\n",
	"/news":   "none",
	"/prices": "one for 3\ntwo for 5\nmany for 40\n",
	"/shop":   "closed on Mondays",
}

// Prints runs main with the addresses of a site as its arguments, and fails if what
// it prints is not in output.txt of the folder above, which its twin prints, too.
func Prints(t *testing.T, main func()) {
	t.Helper()
	want, err := os.ReadFile("../output.txt")
	if err != nil {
		t.Fatal(err)
	}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if page, ok := pages[r.URL.Path]; ok {
			io.WriteString(w, page)
		} else {
			http.NotFound(w, r)
		}
	}))
	defer site.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()

	args := []string{"main"}
	for _, path := range []string{"/", "/about", "/blog", "/news", "/prices", "/shop"} {
		args = append(args, site.URL+path)
	}
	got := strings.ReplaceAll(output(t, main, args), site.URL, "http://site")
	if got != string(want) {
		t.Errorf("it printed\n%sand should print\n%s", got, want)
	}
}

// output returns what main prints, given args.
func output(t *testing.T, main func(), args []string) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	printed := make(chan string)
	go func() {
		text, _ := io.ReadAll(r)
		printed <- string(text)
	}()
	stdout, oldArgs := os.Stdout, os.Args
	os.Stdout, os.Args = w, args
	func() {
		defer func() { os.Stdout, os.Args = stdout, oldArgs; w.Close() }()
		main()
	}()
	return <-printed
}
