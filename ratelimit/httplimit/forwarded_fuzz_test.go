package httplimit_test

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tandemgo/tandem/ratelimit/httplimit"
)

var tenNet = netip.MustParsePrefix("10.0.0.0/8")

const port = `(?::(?:[0-9]{1,5}|_[0-9A-Za-z._-]+))?`

var (
	nodeIPv6 = regexp.MustCompile(`^\[([^\]]+)\]` + port + `$`)
	nodeIPv4 = regexp.MustCompile(`^([0-9]+\.[0-9.]+)` + port + `$`)

	word    = "([^\"\\\\,;\x01-\x20\x7f\\x00]*)"
	token   = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
	pairFor = regexp.MustCompile(`^(?i:for)=(?:` + word + `|"((?:[^"\\,;]|\\[^,;])*)")$`)
	pairBy  = regexp.MustCompile(`^(?i:by)=(?:` + word + `|"((?:[^"\\,;]|\\[^,;])*)")$`)
	pairRFC = regexp.MustCompile(`^` + token + `=(?:` + word + `|"((?:[^"\\,;]|\\[^,;])*)")$`)
	pairRaw = regexp.MustCompile(`^` + token + `="(?s:.*)"$`)
	escaped = regexp.MustCompile(`(?s)\\(.)`)
)

// slowNode is what an address may be in RFC 7239, section 6, or an IPv6 address
// without brackets.
func slowNode(s string) (a netip.Addr) {
	six := false
	if m := nodeIPv6.FindStringSubmatch(s); m != nil {
		s, six = m[1], true
	} else if m := nodeIPv4.FindStringSubmatch(s); m != nil {
		s = m[1]
	}
	a, err := netip.ParseAddr(s)
	if err != nil || six && !a.Is6() {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// slowElement reads the parts of an element, each of which is a pair. It returns ok
// if it is one, and what it says after for=.
func slowElement(parts []string) (node netip.Addr, empty, ok bool) {
	empty = true
	named, raw := false, false
	for _, p := range parts {
		p = strings.Trim(p, " \t")
		if p == "" {
			continue
		}
		empty = false
		name, _, _ := strings.Cut(strings.ToLower(p), "=")
		if m := pairFor.FindStringSubmatch(p); m != nil {
			if named {
				return node, false, false
			}
			named, node = true, slowNode(m[1]+escaped.ReplaceAllString(m[2], "$1"))
		} else if name == "for" || name == "by" && !pairBy.MatchString(p) {
			return node, false, false
		} else if name == "by" || pairRFC.MatchString(p) {
			continue
		} else if pairRaw.MatchString(p) {
			raw = true
		} else {
			return node, false, false
		}
	}
	return node, empty, empty || named || !raw
}

// slowLine returns all that the last of some lines can mean: the address of the
// client, or the zero Addr for the nearest proxy, and whether it means that what is
// in front of the line says more. Each comma and each semicolon may separate, or be
// a part of a value, and the list may begin behind any comma.
func slowLine(line string, first bool) (strong, weak []netip.Addr, more bool) {
	var cuts []int
	for i, c := range []byte(line) {
		if c == ',' || c == ';' {
			cuts = append(cuts, i)
		}
	}
	start := []int{0}
	for _, c := range cuts {
		if line[c] == ',' {
			start = append(start, c+1)
		}
	}
	for _, s := range start {
		inside := slices.DeleteFunc(slices.Clone(cuts), func(c int) bool { return c < s })
	choices:
		for choice := range 1 << len(inside) {
			elements, at := [][]string{nil}, s
			for i, c := range inside {
				if choice>>i&1 == 0 {
					continue
				}
				last := &elements[len(elements)-1]
				*last = append(*last, line[at:c])
				if line[c] == ',' {
					elements = append(elements, nil)
				}
				at = c + 1
			}
			last := &elements[len(elements)-1]
			*last = append(*last, line[at:])
			at = -1
			client, known := netip.Addr{}, false
			for _, element := range slices.Backward(elements) {
				a, empty, ok := slowElement(element)
				if !ok {
					continue choices
				}
				if empty || known {
					continue
				}
				if tenNet.Contains(a) {
					client = a
					continue
				}
				if known = true; a.IsValid() {
					client = a
				}
			}
			switch {
			case known:
				strong = append(strong, client)
			case s == 0 && !first:
				more = true
				weak = append(weak, client)
			default:
				weak = append(weak, client)
			}
		}
	}
	return strong, weak, more
}

// slowForwarded returns the address of a client if the header can only mean one, and
// the zero Addr if it is one of the proxies.
func slowForwarded(lines []string) netip.Addr {
	for i, line := range slices.Backward(lines) {
		strong, _, more := slowLine(line, i == 0)
		slices.SortFunc(strong, netip.Addr.Compare)
		strong = slices.Compact(strong)
		switch {
		case len(strong) > 1 || len(strong) == 1 && more:
			return netip.Addr{}
		case len(strong) == 1:
			return strong[0]
		case !more:
			return netip.Addr{}
		}
	}
	return netip.Addr{}
}

// sane drops what a header can't hold.
func sane(s string) string {
	return string(slices.DeleteFunc([]byte(s), func(c byte) bool { return c == '\r' || c == '\n' || c == 0 }))
}

// What is read of a Forwarded header is what a parser that tries all that the
// grammar allows has found, or a proxy's address if there are several answers.
func FuzzForwarded(f *testing.F) {
	for _, s := range []string{
		`for=198.51.100.7;host="a:1,for=203.0.113.9"`, `for=203.0.113.9;host="|for=198.51.100.7`, `for=203.0.113.9;host=", for="198.51.100.7:80"`,
		`for="198.51\.100.7:_p1"; by=x, for=10.0.0.2`, `host="a";for=198.51.100.7, host="b";for="[::ffff:10.0.0.2]:9"`,
		`for=1.1.1.1;host="a",for=2.2.2.2;host="b"`, `for=unknown;host="a", for=10.0.0.2|for=_x`, `by="a";for=2001:db8::1,,;;,for="[::1%z]:_"`,
		`for=1.1.1.1|host="a";for=2.2.2.2, host="b";for=10.0.0.3|, for=10.0.0.2`, `a="b;for="1.1.1.1";c="d",e="\",for=2.2.2.2"`,
	} {
		f.Add(s)
	}
	key := httplimit.ByForwardedIP("Forwarded", tenNet)
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Count(text, ",")+strings.Count(text, ";") > 7 || len(text) > 200 {
			return // what is slow would take too long
		}
		lines := strings.Split(text, "|")
		for i := range lines {
			lines[i] = sane(lines[i])
		}
		want := slowForwarded(lines)
		got := key(from("10.0.0.1:80", "Forwarded", lines...)).Addr()
		if want.Is6() {
			p, _ := want.Prefix(64)
			want = p.Addr()
		}
		if want != got && (want.IsValid() && !tenNet.Contains(want) || !tenNet.Contains(got)) {
			t.Errorf("%q: got %s, want %s", lines, got, want)
		}
	})
}

// The same for a list of addresses.
func FuzzXForwardedFor(f *testing.F) {
	for _, s := range []string{
		`198.51.100.7`, `203.0.113.9,198.51.100.7:80, 10.0.0.2`, `203.0.113.9|[2001:db8::1]:80|,`, `unknown, 10.0.0.2`,
		`[::ffff:198.51.100.7]`, `fe80::1%eth0`, `198.51.100.7,,"`, `10.0.0.3:_p|10.0.0.2`,
	} {
		f.Add(s)
	}
	key := httplimit.ByForwardedIP("X-Forwarded-For", tenNet)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 8000 {
			return
		}
		lines := strings.Split(text, "|")
		for i := range lines {
			lines[i] = sane(lines[i])
		}
		want := netip.MustParseAddr("10.0.0.1")
		all := strings.Split(strings.Join(lines, ","), ",")
		for _, s := range slices.Backward(all) {
			if s = strings.Trim(s, " \t"); s == "" {
				continue
			}
			a := slowNode(s)
			if a.IsValid() {
				want = a
			}
			if !tenNet.Contains(a) {
				break
			}
		}
		if want.Is6() {
			p, _ := want.Prefix(64)
			want = p.Addr()
		}
		if got := key(from("10.0.0.1:80", "X-Forwarded-For", lines...)).Addr(); got != want {
			t.Errorf("%q: got %s, want %s", lines, got, want)
		}
	})
}

// quote is a quoted-string of RFC 9110.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// Whatever a client sends, as Forwarded and as a Host that proxies copy, the address
// is its own or that of a proxy.
func FuzzForwardedAgainstClients(f *testing.F) {
	f.Add("", `a:1,for=203.0.113.9`, "", []byte{0})
	f.Add(`for=203.0.113.9;host="`, `";y="z`, "x", []byte{0, 1})
	f.Add(`for=203.0.113.9`, `a",for=203.0.113.9;host="b`, `a";for=203.0.113.9;x="b`, []byte{3, 9})
	f.Add("for=203.0.113.9|for=203.0.113.9;x=\"\\", `a";for=203.0.113.9,x="b`, `x\`, []byte{17, 40, 3})
	f.Add(`for=203.0.113.9, for=10.0.0.4;x="`, `;for=10.0.0.5;a=`, `",for=10.0.0.9;b="`, []byte{2, 21, 35})
	key := httplimit.ByForwardedIP("Forwarded", tenNet)
	f.Fuzz(func(t *testing.T, sent, host, other string, proxies []byte) {
		if len(proxies) == 0 || len(proxies) > 4 {
			return
		}
		lines := strings.Split(sent, "|")
		for i := range lines {
			lines[i] = sane(lines[i])
		}
		if sent == "" {
			lines = nil
		}
		host, other = sane(host), sane(other)
		const client = "198.51.100.7"
		peer := client
		for i, p := range proxies {
			// How this proxy writes: bits 0 and 1 say what host is, 2 and 3 the order,
			// 4 to 6 the address, 7 whether it copies the other text.
			h := host
			if p>>7 == 1 {
				h = other
			}
			host := []string{`host="` + h + `"`, "host=" + quote(h), "proto=http", `by="[::1]:80";host="` + h + `"`}[p&3]
			node := "for=" + []string{peer, `"` + peer + `"`, `"` + peer + `:80"`, `"` + peer + `:_p"`}[p>>4&3]
			if host == "" {
				host = "proto=http"
			}
			element := []string{node + ";" + host, host + ";" + node, "proto=http;" + node + ";" + host, node + ";" + host + ";proto=http"}[p>>2&3]
			switch {
			case p>>6&1 == 1 || len(lines) == 0:
				lines = append(lines, element)
			default:
				lines[len(lines)-1] += ", " + element
			}
			peer = "10.0.0." + string(rune('1'+i))
		}
		got := key(from(peer+":80", "Forwarded", lines...)).Addr()
		if got.String() != client && !tenNet.Contains(got) {
			t.Errorf("%q: got %s", lines, got)
		}
	})
}
