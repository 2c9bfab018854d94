// Package moving has programs, each with another library in before and with Tandem in after.
// Both print what output.txt has.
package moving

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// site has the pages whose addresses the programs get.
var site = map[string]string{
	"/":       "home of nothing",
	"/about":  "about us: we are few",
	"/blog":   "today it rained\ntomorrow it will not\n",
	"/news":   "none",
	"/prices": "one for 3\ntwo for 5\nmany for 40\n",
	"/shop":   "closed on Mondays",
}

func TestOutput(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if page, ok := site[r.URL.Path]; ok {
			_, _ = io.WriteString(w, page)
		} else {
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	programs, err := filepath.Glob("*/*/main.go")
	if err != nil || len(programs) != 15 {
		t.Fatalf("there are programs %q, error %v", programs, err)
	}
	for _, path := range programs {
		dir := filepath.Dir(path)
		t.Run(filepath.ToSlash(dir), func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join(dir, "..", "output.txt"))
			if err != nil {
				t.Fatal(err)
			}
			args := []string{"run", "./" + dir}
			for _, page := range []string{"/", "/about", "/blog", "/news", "/prices", "/shop"} {
				args = append(args, server.URL+page)
			}
			got, err := exec.CommandContext(t.Context(), "go", args...).Output()
			if text := strings.ReplaceAll(string(got), server.URL, "http://site"); text != string(want) {
				t.Errorf("it printed, with error %v,\n%sand should print\n%s", err, text, want)
			}
		})
	}
}
