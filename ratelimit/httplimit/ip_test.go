package httplimit_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/httplimit"
)

func from(remote, header string, lines ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = remote
	r.Header[header] = lines
	return r
}

// An address behind proxies is what RFC 7239 says it is: what separates nothing
// between quotes separates nothing, and all that an address may be is read.
func TestForwardedIsReadByItsGrammar(t *testing.T) {
	key := httplimit.ByForwardedIP("Forwarded", prefixes(t, "10.0.0.0/8,2001:db8::/32")...)
	client, six := "198.51.100.7/32", "2001:db9:1:2::/64"
	tests := []struct{ want, lines string }{
		// Quoted text separates nothing.
		{client, `for=198.51.100.7;host="a:1,for=203.0.113.9"`},
		{client, `proto=http;host="a:1,for=203.0.113.9";for=198.51.100.7`},
		{client, `host="a:1;for=203.0.113.9";for=198.51.100.7`},
		{client, `for="198.51.100.7";host="x\",for=203.0.113.9"`},
		{client, `for="198.51.100.7";host="a\",for=203.0.113.9;host=\"b"`},
		{client, `for=198.51.100.7;host="a,,;;b";proto=http`},
		{client, `for=198.51.100.7;host="";by="[::1]:80"`},
		// Forms of an address.
		{client, `for="198.51.100.7:_p1"`},
		{client, `for="198.51.100.7:80"`},
		{client, `for=198.51.100.7:80`},
		{client, `for="198.51\.100\.7"`},
		{client, `for="\1\9\8.51.100.7:_x.-_Y"`},
		{client, `for="[::ffff:198.51.100.7]"`},
		{six, `for="[2001:db9:1:2::4]"`},
		{six, `for="[2001:db9:1:2::4]:99999"`},
		{six, `for="[2001:db9:1:2::4]:_p"`},
		{six, `for="[2001:db9:1:2::4%eth0]"`},
		{six, `for=2001:db9:1:2::4`}, // as nginx writes it
		// Case, whitespace, order, empty elements and pairs.
		{client, `FOR=198.51.100.7;Proto=https`},
		{client, "  proto=http ;\tfOr=198.51.100.7 ;; by=x \t"},
		{client, `for=198.51.100.7,,`},
		{client, `for=198.51.100.7, ,	, for=10.0.0.2 , ;,`},
		{client, `,for=198.51.100.7,,for=10.0.0.3,, for="10.0.0.2"`},
		{client, `for=198.51.100.7;ext=1;for1=203.0.113.9`},
		// Several hops, in one line and in several.
		{client, `for=203.0.113.9, for=198.51.100.7, for=10.0.0.2`},
		{client, `for=203.0.113.9|for=198.51.100.7|for=10.0.0.2`},
		{client, `for=203.0.113.9|for=198.51.100.7;host="x"|for=10.0.0.2;host="y"`},
		{client, `for=198.51.100.7;host="a:1", for=10.0.0.2;host="b:2"`},
		{client, `for=198.51.100.7;host="a:1", for=10.0.0.3;host="b:2",for="10.0.0.2:9";host="c"`},
		{client, `proto=http;host="a:1";for="198.51.100.7:5", proto=http;host="b:1";for="10.0.0.2:5"`},
		{client, `for=203.0.113.9|for=198.51.100.7||,`},
		// What a client sends can't swallow what the proxy has written.
		{client, `for=203.0.113.9;host="|for=198.51.100.7`},
		{client, `for=203.0.113.9;host="|for=198.51.100.7;host="x"`},
		{client, `for=203.0.113.9;host=", for=198.51.100.7`},
		{client, `for=203.0.113.9;host="\, for=198.51.100.7`},
		{client, `"", for=198.51.100.7`},
		{client, `for="203.0.113.9, for=198.51.100.7;host="a"`},
		{six, `", for="[2001:db9:1:2::4]"`},
		// Elements without an address.
		{"10.0.0.1/32", `for=unknown`},
		{"10.0.0.1/32", `for=_hidden`},
		{"10.0.0.1/32", `for="_hidden:80"`},
		{"10.0.0.1/32", `for=198.51.100.7, proto=http`},
		{"10.0.0.1/32", `for=198.51.100.7, host="a,for=198.51.100.8"`},
		{"10.0.0.2/32", `for=198.51.100.7, for=unknown;host="a", for=10.0.0.2`},
		{"10.0.0.2/32", `for=198.51.100.7|by=y|for=10.0.0.2`},
		// Malformed ones.
		{"10.0.0.1/32", `for=198.51.100.7;for=198.51.100.7`},
		{"10.0.0.1/32", `for=198.51.100.7;for=203.0.113.9`},
		{"10.0.0.1/32", `for=198.51.100.7;host="x`},
		{"10.0.0.1/32", `for="198.51.100.7`},
		{"10.0.0.1/32", `for="198.51.100.7"x`},
		{"10.0.0.1/32", `for="198.51.100.7\"`},
		{"10.0.0.1/32", `for=198.51.100.7"`},
		{"10.0.0.1/32", `for =198.51.100.7`},
		{"10.0.0.1/32", `for= 198.51.100.7`},
		{"10.0.0.1/32", `for=198.51.100.7 203.0.113.9`},
		{"10.0.0.1/32", `for`},
		{"10.0.0.1/32", `for=`},
		{"10.0.0.1/32", `198.51.100.7`},
		{"10.0.0.1/32", `for="198.51.100.7:123456"`},
		{"10.0.0.1/32", `for="198.51.100.7:"`},
		{"10.0.0.1/32", `for="198.51.100.7:_"`},
		{"10.0.0.1/32", `for="198.51.100.7:_p!"`},
		{"10.0.0.1/32", `for="[198.51.100.7]"`},
		{"10.0.0.1/32", `for="[2001:db9::4"`},
		{"10.0.0.1/32", `for="[2001:db9::4]:"`},
		{"10.0.0.1/32", `for="[2001:db9::4]80"`},
		{"10.0.0.2/32", `for=198.51.100.7, rubbish, for=10.0.0.2`},
		{"10.0.0.2/32", `for=198.51.100.7|rubbish|for=10.0.0.2`},
		// A proxy copies a host with quotes as it is: it can't be told who wrote what.
		{"10.0.0.1/32", `for=198.51.100.7;host="a",for=203.0.113.9;host="b"`},
		{"10.0.0.1/32", `for=203.0.113.9;host=", for=198.51.100.7;host=";y="z"`},
		{"10.0.0.1/32", `for=198.51.100.7;host="a", for="203.0.113.9"`},
		{"10.0.0.1/32", `for=203.0.113.9;host=", for="198.51.100.7:80"`},
		{"10.0.0.1/32", `for=203.0.113.9|for=198.51.100.7;host="a",for=203.0.113.10;x=""`},
		{client, `host="a";for=203.0.113.9;x="b";for=198.51.100.7`},
		{client, `host="a";for=203.0.113.9,x="b";for=198.51.100.7`},
	}
	for _, tt := range tests {
		if got := key(from("10.0.0.1:80", "Forwarded", strings.Split(tt.lines, "|")...)).String(); got != tt.want {
			t.Errorf("%s\n\tgot %s, want %s", tt.lines, got, tt.want)
		}
		if got := key(from("192.0.2.1:80", "Forwarded", strings.Split(tt.lines, "|")...)).String(); got != "192.0.2.1/32" {
			t.Errorf("from an address that is not of a proxy: %s\n\tgot %s", tt.lines, got)
		}
	}
}

// The same for a list of addresses, in which quotes mean nothing.
func TestXForwardedFor(t *testing.T) {
	key := httplimit.ByForwardedIP("x-forwarded-FOR", prefixes(t, "10.0.0.0/8,::ffff:172.16.0.0/108")...)
	client := "198.51.100.7/32"
	for lines, want := range map[string]string{
		`203.0.113.9,198.51.100.7`:                  client,
		`203.0.113.9|198.51.100.7`:                  client,
		`203.0.113.9, 198.51.100.7:4711`:            client,
		`[::ffff:198.51.100.7]:80`:                  client,
		`198.51.100.7, 10.0.0.3 ,172.31.0.1`:        client,
		`198.51.100.7,,	, 10.0.0.2,`:                client,
		`198.51.100.7| ||10.0.0.2,|`:                client,
		`[2001:db9:1:2::4]`:                         "2001:db9:1:2::/64",
		`2001:db9:1:2::4`:                           "2001:db9:1:2::/64",
		`fe80::1%eth0`:                              "fe80::/64",
		`203.0.113.9, "`:                            "10.0.0.1/32",
		`203.0.113.9, unknown`:                      "10.0.0.1/32",
		`203.0.113.9, unix:, 10.0.0.2`:              "10.0.0.2/32",
		`203.0.113.9, "198.51.100.7"`:               "10.0.0.1/32",
		`", 198.51.100.7`:                           client,
		`203.0.113.9 198.51.100.7`:                  "10.0.0.1/32",
		`203.0.113.9;198.51.100.7`:                  "10.0.0.1/32",
		`198.51.100.07`:                             "10.0.0.1/32",
		`::ffff:10.0.0.5`:                           "10.0.0.5/32",
		strings.Repeat("x", 1<<20):                  "10.0.0.1/32",
		`203.0.113.9,` + strings.Repeat(",", 1<<20): "10.0.0.1/32",
		`203.0.113.9|` + strings.Repeat("|", 1<<16): "10.0.0.1/32",
	} {
		if got := key(from("10.0.0.1:80", "X-Forwarded-For", strings.Split(lines, "|")...)).String(); got != want {
			t.Errorf("%.80s\n\tgot %s, want %s", lines, got, want)
		}
	}
}

// The limit itself: a client behind a proxy that copies its Host has one an hour, for
// all that it sends as Host and as Forwarded.
func TestForwardedIsNoBypass(t *testing.T) {
	hosts := []string{
		`a:1,for=203.0.113.%d`, `a";for=203.0.113.%d;x="`, `a",for=203.0.113.%d;host="b`, `a",for="203.0.113.%d`,
		`",for=203.0.113.%d,x="`, `\",for=203.0.113.%d;y=\"`, `",for=203.0.113.%d, host="";proto=http,x="`,
	}
	sent := []string{"", `for=203.0.113.%d`, `for=203.0.113.%d;host="`, `for=203.0.113.%d;host="\`, `for=203.0.113.%d;x="a", `, `for="203.0.113.%d`}
	templates := []string{`for=198.51.100.7;host="%s"`, `host="%s";for=198.51.100.7`, `by=x;host="%s";for="198.51.100.7:9";proto=http`}
	allowed := []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("198.51.100.7/32")}
	key := httplimit.ByForwardedIP("Forwarded", prefixes(t, "10.0.0.0/8")...)
	for _, template := range templates {
		for _, host := range hosts {
			for _, before := range sent {
				h := httplimit.Middleware(ratelimit.NewKeyed[netip.Prefix](ratelimit.Every(time.Hour), 1), key)(ok)
				passed := 0
				for i := range 50 {
					element := fmt.Sprintf(template, strings.ReplaceAll(host, "%d", fmt.Sprint(i)))
					before := strings.ReplaceAll(before, "%d", fmt.Sprint(100+i))
					for _, lines := range [][]string{{before + ", " + element}, {before, element}} {
						r := from("10.0.0.1:80", "Forwarded", lines...)
						if got := key(r); !slices.Contains(allowed, got) {
							t.Fatalf("%q: got %s", lines, got)
						}
						w := httptest.NewRecorder()
						h.ServeHTTP(w, r)
						if w.Code == http.StatusOK {
							passed++
						}
					}
				}
				if passed > 2 { // one for the client, one for all that can't be told
					t.Errorf("%s with host %s behind %s: %d passed", template, host, before, passed)
				}
			}
		}
	}
}

// A long header costs next to nothing, whether or not it is believed.
func TestForwardedCostIsBounded(t *testing.T) {
	for _, header := range []string{"X-Forwarded-For", "Forwarded"} {
		key := httplimit.ByForwardedIP(header, prefixes(t, "10.0.0.0/8")...)
		for _, text := range []string{
			strings.Repeat(",", 1<<20), strings.Repeat(`",`, 1<<19), strings.Repeat(`for=10.0.0.2,`, 1<<16), strings.Repeat(`10.0.0.2,`, 1<<16),
			strings.Repeat(`a="b;`, 1<<17), strings.Repeat("x", 1<<20), strings.Repeat(`"`, 1<<20), strings.Repeat(`for=10.0.0.2;host="a",`, 1<<15),
		} {
			for _, remote := range []string{"198.51.100.7:9", "10.0.0.1:9"} {
				r := from(remote, header, text)
				if got := testing.AllocsPerRun(5, func() { key(r) }); got > 2 {
					t.Errorf("%s: %.20s from %s: %v allocations", header, text, remote, got)
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				key(r)
				if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 64<<10 {
					t.Errorf("%s: %.20s from %s: %d bytes", header, text, remote, after.TotalAlloc-before.TotalAlloc)
				}
			}
		}
	}
	// What is behind the bound is not believed, even if the client is there.
	key := httplimit.ByForwardedIP("Forwarded", prefixes(t, "10.0.0.0/8")...)
	for _, text := range []string{
		`for=198.51.100.7` + strings.Repeat(",for=10.0.0.2", 1000),
		`for=198.51.100.7;host="` + strings.Repeat("x", 9000) + `",for=203.0.113.9;host="b"`,
	} {
		if got := key(from("10.0.0.1:80", "Forwarded", text)); !netip.MustParsePrefix("10.0.0.0/8").Contains(got.Addr()) {
			t.Errorf("%.40s: %s", text, got)
		}
	}
}

// A server on a Unix socket has no address for its proxy, which can be trusted all
// the same, and is not unless it is named.
func TestProxyOnUnixSocket(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Skip(err)
	}
	trusting := httplimit.ByForwardedIP("X-Forwarded-For", netip.Prefix{})
	wary := httplimit.ByForwardedIP("X-Forwarded-For", prefixes(t, "0.0.0.0/0,::/0")...)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, trusting(r), " ", wary(r))
	}), ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	defer func() {
		_ = s.Close()
		<-served
	}()
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", l.Addr().String())
	}}
	defer tr.CloseIdleConnections()
	for _, ip := range []string{"198.51.100.1", "198.51.100.2"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://x/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Forwarded-For", "203.0.113.9, "+ip)
		if got, want := body(t, tr, r), ip+"/32 invalid Prefix"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for remote, want := range map[string]string{
		"@": "198.51.100.1/32", "": "198.51.100.1/32", "/run/proxy": "198.51.100.1/32", "@proxy": "198.51.100.1/32",
		"192.0.2.1:80": "192.0.2.1/32",   // an address that is not trusted
		"unknown":      "invalid Prefix", // what some middleware has made of a header
	} {
		if got := trusting(from(remote, "X-Forwarded-For", "198.51.100.1")).String(); got != want {
			t.Errorf("from %q: got %s, want %s", remote, got, want)
		}
	}
	if got := trusting(from("@", "X-Forwarded-For", "198.51.100.1, rubbish")).String(); got != "invalid Prefix" {
		t.Errorf("a malformed list: %s", got)
	}
}

// The length of the network of an IPv6 address is an option.
func TestIPv6Prefix(t *testing.T) {
	const remote = "[2001:db9:1:2:3:4:5:6]:80"
	for bits, want := range map[int]string{128: "2001:db9:1:2:3:4:5:6/128", 64: "2001:db9:1:2::/64", 56: "2001:db9:1::/56", 1: "::/1"} {
		key := httplimit.ByClientIP(nil, httplimit.WithIPv6Prefix(bits), httplimit.WithProxies("X-Forwarded-For", prefixes(t, "10.0.0.0/8")...))
		if got := key(from(remote, "X-Forwarded-For", "203.0.113.9")).String(); got != want {
			t.Errorf("%d bits: got %s", bits, got)
		}
		if got := key(from("10.0.0.1:9", "X-Forwarded-For", "2001:db9:1:2:3:4:5:6")).String(); got != want {
			t.Errorf("%d bits, behind a proxy: got %s", bits, got)
		}
		if got := key(from("10.0.0.1:9", "X-Forwarded-For", "198.51.100.7")).String(); got != "198.51.100.7/32" {
			t.Errorf("%d bits: an IPv4 address became %s", bits, got)
		}
	}
	for _, remote := range []string{remote, "192.0.2.1:80", "@", "[fe80::1%eth0]:1"} {
		if r := from(remote, "X-Forwarded-For", "203.0.113.9"); httplimit.ByClientIP()(r) != httplimit.ByIP(r) {
			t.Errorf("without options ByClientIP is not ByIP for %s", remote)
		}
	}
}
