package httplimit_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/httplimit"
)

// Names of one host are one key, names of different hosts are not.
func TestByHostIsTheSameForOneHost(t *testing.T) {
	for want, names := range map[string][]string{
		"example.com":           {"http://example.com/", "http://EXAMPLE.com/x", "https://Example.Com", "http://example.com:80", "https://example.com:443/", "HTTP://example.com.:080/", "http://example.com:/", "http://u:p@example.com./"},
		"example.com:8080":      {"http://example.com:8080", "https://eXample.com.:8080", "http://example.com:08080"},
		"example.com:443":       {"http://example.com:443"},
		"example.com:80":        {"https://example.com:80", "https://EXAMPLE.com.:80"},
		"xn--bcher-kva.example": {"http://bücher.example", "http://BÜCHER.example.:80", "http://xn--bcher-kva.example/", "http://XN--BCHER-KVA.example", "http://b%C3%BCcher.example"},
		"[::1]":                 {"http://[::1]", "http://[0:0:0:0:0:0:0:1]:80", "https://[0::0001]:443/"},
		"[2001:db8::a]:8080":    {"http://[2001:DB8:0::A]:8080", "http://[2001:db8:0:0::a]:8080"},
		"192.0.2.1":             {"http://192.0.2.1:80", "http://[::ffff:192.0.2.1]"},
		"192.0.2.1:81":          {"http://192.0.2.1:81", "http://[::ffff:c000:201]:81"},
		"[fe80::1%eth0]":        {"http://[fe80::1%25eth0]/"},
	} {
		for _, name := range names {
			r, err := http.NewRequest(http.MethodGet, name, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := httplimit.ByHost(r); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
	}
	for _, host := range []string{"", ".", "\xff.example", "a b", "[::1"} { // what can't be sent is some key
		httplimit.ByHost(&http.Request{URL: &url.URL{Scheme: "http", Host: host}})
	}
}

// Package http takes the Host out of the header.
func TestByHeaderHost(t *testing.T) {
	r := httptest.NewRequest("GET", "http://example.com/", nil)
	if got := httplimit.ByHeader("host")(r); got != "example.com" {
		t.Errorf("%q", got)
	}
}

// The length of a key is bounded, and keys that differ still do: no key can be made
// that stands for another.
func TestKeysAreBounded(t *testing.T) {
	functions := map[string]func(string) string{
		"ByHeader": func(s string) string {
			return httplimit.ByHeader("User")(&http.Request{Header: http.Header{"User": {s}}})
		},
		"ByPath": func(s string) string { return httplimit.ByPath(&http.Request{URL: &url.URL{Path: s}}) },
		"ByHost": func(s string) string { return httplimit.ByHost(&http.Request{URL: &url.URL{Host: s}}) },
	}
	long := strings.Repeat("x", 100_000)
	texts := []string{"", "a", long[:255], long[:256], long[:257], long[:258], long, long[1:], long[1:] + "y", "y" + long[1:], long[1:] + "\xff"}
	for name, key := range functions {
		seen := map[string]string{}
		for _, s := range texts {
			k := key(s)
			if len(s) <= 256 && k != s {
				t.Errorf("%s: a key of %d bytes became one of %d", name, len(s), len(k))
			}
			if len(k) > 257 {
				t.Errorf("%s: a key of %d bytes, of one of %d", name, len(k), len(s))
			}
			if before, twice := seen[k]; twice {
				t.Errorf("%s: texts of %d and %d bytes are the same key", name, len(before), len(s))
			}
			seen[k] = s
			if again := key(k); again != k { // what stands for a long text is a text, too
				if before, twice := seen[again]; twice {
					t.Errorf("%s: the key of %d bytes can be made by another text of %d", name, len(before), len(k))
				}
			} else if len(s) > 256 {
				t.Errorf("%s: the key of %d bytes is the key of a text of %d", name, len(s), len(k))
			}
		}
	}
}

// Strangers who send long keys take no more memory than the number of keys allows.
func TestLongKeysAreNotKept(t *testing.T) {
	h := httplimit.Middleware(ratelimit.NewKeyed[string](ratelimit.Every(time.Hour), 1), httplimit.ByHeader("User"))(ok)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range 100 {
		if w := ask(h, strconv.Itoa(i)+strings.Repeat("x", 500_000)); w.Code != http.StatusOK {
			t.Fatalf("key %d: %d", i, w.Code)
		}
	}
	if after := heap(); after > before+10<<20 {
		t.Errorf("100 keys keep %d bytes", after-before)
	}
	runtime.KeepAlive(h)
}
