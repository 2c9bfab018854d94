package httplimit

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ByIP returns the address that a request comes from, as far as the connection
// tells: an IPv4 address, or the /64 of an IPv6 address, which is the least that one
// customer has. It ignores the headers of the request; behind a proxy use
// [ByForwardedIP]. Requests over a connection without addresses, such as a Unix
// socket, all have the zero prefix. [ByClientIP] can use another length for IPv6.
func ByIP(r *http.Request) netip.Prefix { return network(address(r.RemoteAddr), defaultIPv6) }

// ByForwardedIP returns a function that finds out the address of a client behind
// proxies. The header is believed in a request that comes from one of them, and in no
// other: X-Forwarded-For, Forwarded (RFC 7239), or one that holds a
// single address, such as X-Real-IP. That must be the one that these proxies set
// or append to, or else clients can write any address in it. The zero Prefix
// stands for a proxy that connects without an address, as over a Unix socket.
//
// The list is read from its end, where the nearest proxy has written, and the
// first address that is not of a proxy is the client's. Reading stops, with the
// address of the proxy that was reached, at an element that has no address or is
// malformed, and after 8 KiB.
//
// In a Forwarded header, the text between quotes may be the client's, as in
// host="$http_host" of nginx, and that text may hold quotes and commas, too. If the
// header can be read in several ways, so that the address depends on where such a
// text ends, reading stops as well. A client can therefore make its own requests
// count as the proxy's, but can't choose an address.
//
// Networks are those of [ByIP]. ByForwardedIP panics if header is empty.
func ByForwardedIP(header string, proxies ...netip.Prefix) func(*http.Request) netip.Prefix {
	return ByClientIP(withProxies("ByForwardedIP", header, proxies))
}

// ByClientIP returns a function that finds out the address of a client. Without
// options, it does the same as [ByIP].
func ByClientIP(opts ...IPOption) func(*http.Request) netip.Prefix {
	o := ipOptions{ipv6: defaultIPv6}
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	return func(r *http.Request) netip.Prefix { return network(o.client(r), o.ipv6) }
}

// An IPOption changes [ByClientIP].
type IPOption func(*ipOptions)

type ipOptions struct {
	ipv6    int // bits of an IPv6 address that count
	header  string
	proxies []netip.Prefix
	unnamed bool // trust peers without an address
}

// defaultIPv6 is the length of the smallest network that a customer gets.
const defaultIPv6 = 64

// WithProxies makes ByClientIP believe header when a request comes from one of
// proxies, as [ByForwardedIP] does. The default is to believe none. It panics if
// header is empty.
func WithProxies(header string, proxies ...netip.Prefix) IPOption {
	return withProxies("WithProxies", header, proxies)
}

func withProxies(call, header string, proxies []netip.Prefix) IPOption {
	if header == "" {
		panic("httplimit: " + call + ": header must not be empty")
	}
	return func(o *ipOptions) {
		o.header, o.proxies, o.unnamed = http.CanonicalHeaderKey(header), nil, false
		for _, p := range proxies {
			if p == (netip.Prefix{}) {
				o.unnamed = true
			} else if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
				o.proxies = append(o.proxies, netip.PrefixFrom(a.Unmap(), p.Bits()-96))
			} else {
				o.proxies = append(o.proxies, p)
			}
		}
	}
}

// WithIPv6Prefix makes ByClientIP return the first bits of an IPv6 address in place
// of its /64: 56 or 48 if customers have as much as that, 128 if each address is a
// client of its own, as on a network where all are known. It panics if bits is not
// between 1 and 128.
func WithIPv6Prefix(bits int) IPOption {
	if bits < 1 || bits > 128 {
		panic(fmt.Sprintf("httplimit: WithIPv6Prefix: bits must be between 1 and 128, got %d", bits))
	}
	return func(o *ipOptions) { o.ipv6 = bits }
}

// maxList bounds how many bytes of a header are looked at. A list of proxies is
// shorter, even if there are many of them.
const maxList = 8 << 10

// client returns the address of the peer in front of the trusted proxies, and if
// that can't be told, of the last proxy that is known.
func (o *ipOptions) client(r *http.Request) netip.Addr {
	client := address(r.RemoteAddr)
	if !o.trusts(client) && !(o.unnamed && unnamed(r.RemoteAddr)) {
		return client
	}
	lines, left := r.Header[o.header], maxList
	for i, rest := range slices.Backward(lines) {
		if left--; left < 0 { // a line without anything in it takes time, too
			return client
		}
		for rest != "" {
			// Only the last element is cut off, since the others may not matter.
			from := max(0, len(rest)-left)
			comma := from + strings.LastIndexByte(rest[from:], ',')
			if comma < from {
				if from > 0 {
					return client
				}
				comma = -1
			}
			element := rest[comma+1:]
			var h hops
			if o.header != "Forwarded" {
				h = o.plain(element)
			} else if strings.IndexByte(element, '"') < 0 {
				h = o.forwarded(element, true)
			} else if from > 0 {
				return client // what comes before may decide what is between quotes
			} else {
				// A comma may be between quotes, so all that is left is read at once.
				comma = -1
				h = o.forwarded(rest, i > 0)
			}
			left -= len(rest) - max(0, comma)
			if h.addr.IsValid() {
				client = h.addr
			}
			if h.state != whole {
				return client
			}
			rest = rest[:max(0, comma)]
		}
	}
	return client
}

// plain reads an element that is an address.
func (o *ipOptions) plain(element string) hops {
	before := hops{state: whole}
	if element = trim(element); element == "" {
		return before
	}
	return before.then(o, address(element))
}

func (o *ipOptions) trusts(a netip.Addr) bool {
	for _, p := range o.proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// unnamed reports whether a peer has no address: it is "@" or empty for most Unix
// sockets, else a path or an abstract name. Other texts come from a middleware that
// has changed RemoteAddr, perhaps to a text of the client.
func unnamed(remote string) bool { return remote == "" || remote[0] == '@' || remote[0] == '/' }

// address reads an address with or without a port, the zero Addr if it is none. A
// port may be obfuscated as in RFC 7239.
func address(s string) netip.Addr {
	host, port, six := s, "", false
	if strings.HasPrefix(s, "[") {
		host, port, six = strings.Cut(s[1:], "]")
		if !six || port != "" && port[0] != ':' {
			return netip.Addr{}
		}
		port = strings.TrimPrefix(port, ":")
		if port == "" && !strings.HasSuffix(s, "]") {
			return netip.Addr{}
		}
	} else if before, after, ok := strings.Cut(s, ":"); ok && strings.IndexByte(before, '.') >= 0 {
		host, port = before, after
		if port == "" {
			return netip.Addr{}
		}
	}
	if port != "" && !isPort(port) {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(host)
	if err != nil || six && !a.Is6() {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// isPort reports whether s is a port of RFC 7239: up to five digits, or an
// underscore and a name.
func isPort(s string) bool {
	if s[0] != '_' {
		return len(s) <= 5 && strings.Trim(s, "0123456789") == ""
	}
	return len(s) > 1 && !strings.ContainsFunc(s, func(c rune) bool { return !isAlphanumeric(c) && !strings.ContainsRune("._-", c) })
}

func isAlphanumeric(c rune) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func network(a netip.Addr, ipv6 int) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = ipv6
	}
	p, _ := a.Prefix(bits) // the zero prefix for the zero address
	return p
}

// trim cuts off the whitespace of a header.
func trim(s string) string { return strings.Trim(s, " \t") }
