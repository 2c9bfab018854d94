package httplimit

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ByIP returns the address that a request comes from, as far as the connection
// tells: an IPv4 address, or the /64 of an IPv6 address, since that is what one
// customer has at the least. It ignores what the request says about itself; behind
// a proxy use [ByForwardedIP]. Requests over what has no address, such as a Unix
// socket, all have the zero prefix.
func ByIP(r *http.Request) netip.Prefix { return network(remote(r)) }

// ByForwardedIP returns a function that finds out the address of a client behind
// proxies. A request that comes from one of them, and no other, is believed what
// it says in header: X-Forwarded-For, Forwarded (RFC 7239), or one that holds a
// single address, such as X-Real-IP. That must be the one that these proxies set
// or append to, or else clients can write in it what they like.
//
// The list is read from its end, where the nearest proxy has written, and the
// first address that is not of a proxy is the client's. It ends at what is no
// address. Networks are those of [ByIP]. ByForwardedIP panics if header is empty.
func ByForwardedIP(header string, proxies ...netip.Prefix) func(*http.Request) netip.Prefix {
	if header == "" {
		panic("httplimit: ByForwardedIP: header must not be empty")
	}
	header = http.CanonicalHeaderKey(header)
	proxies = slices.Clone(proxies)
	trusted := func(a netip.Addr) bool {
		return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return func(r *http.Request) netip.Prefix {
		client := remote(r)
		if !client.IsValid() {
			return netip.Prefix{}
		}
		hops := strings.Split(strings.Join(r.Header[header], ","), ",")
		for i := len(hops) - 1; i >= 0 && trusted(client); i-- {
			hop := hops[i]
			if header == "Forwarded" {
				hop = forwardedFor(hop)
			}
			a := address(strings.TrimSpace(hop))
			if !a.IsValid() {
				break
			}
			client = a
		}
		return network(client)
	}
}

// ByHeader returns a function that returns a header of a request, such as an API
// key; it is empty if there is none.
func ByHeader(name string) func(*http.Request) string {
	// A copy, since what it is cut from would be kept alive by the limiter.
	return func(r *http.Request) string { return strings.Clone(r.Header.Get(name)) }
}

// ByPath returns the path of a request.
func ByPath(r *http.Request) string { return strings.Clone(r.URL.Path) }

// ByHost returns the host, and port if there is one, that a client's request goes
// to. It is for [NewTransport].
func ByHost(r *http.Request) string { return strings.Clone(r.URL.Host) }

func remote(r *http.Request) netip.Addr { return address(r.RemoteAddr) }

// address reads an address with or without port, the zero Addr if it is none.
func address(s string) netip.Addr {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

func network(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // the zero prefix for the zero address
	return p
}

// forwardedFor returns what an element of the header Forwarded says after for=.
func forwardedFor(element string) string {
	for pair := range strings.SplitSeq(element, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if ok && strings.EqualFold(name, "for") {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}
