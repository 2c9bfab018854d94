package httplimit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// maxKey is the length of the longest string that is a key as it is.
const maxKey = 256

// ByHeader returns a function that returns a header of a request, such as an API
// key. It is empty if there is none. That of Host is the host that the client has asked for.
//
// A value of more than 256 bytes is replaced by 257 bytes, the last 64 of which are
// its SHA-256 in hexadecimal, so that a limiter keeps a bounded number of bytes for
// each key. Two different values are never the same key.
func ByHeader(name string) func(*http.Request) string {
	if http.CanonicalHeaderKey(name) == "Host" { // package http takes it out of the header
		return func(r *http.Request) string { return boundedKey(r.Host) }
	}
	return func(r *http.Request) string { return boundedKey(r.Header.Get(name)) }
}

// ByPath returns the path of a request. A path of more than 256 bytes is replaced
// as [ByHeader] does it.
func ByPath(r *http.Request) string { return boundedKey(r.URL.Path) }

// boundedKey returns a copy of s, since the limiter would keep the text alive that s is cut
// from. If s is long, its replacement is longer than any key that is not
// replaced, so no short value can be equal to it.
func boundedKey(s string) string {
	if len(s) <= maxKey {
		return strings.Clone(s)
	}
	sum := sha256.Sum256([]byte(s))
	return s[:maxKey+1-hex.EncodedLen(len(sum))] + hex.EncodeToString(sum[:])
}

// ByHost returns the host that a client's request goes to, and its port unless it
// is that of the scheme. Names of the same host are the same key: in any case, with
// a dot at the end, internationalized or in ASCII, and an IPv6 address in any form.
// ByHost is for [NewTransport].
func ByHost(r *http.Request) string {
	host, port := strings.ToLower(r.URL.Hostname()), strings.TrimLeft(r.URL.Port(), "0")
	if a, err := netip.ParseAddr(host); err == nil {
		host = a.Unmap().String()
	} else {
		host = strings.TrimSuffix(ascii(host), ".")
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	switch scheme := strings.ToLower(r.URL.Scheme); {
	case port == "", scheme == "http" && port == "80", scheme == "https" && port == "443":
	default:
		host += ":" + port
	}
	return boundedKey(host)
}

// ascii returns an internationalized host name in ASCII, as package http sends it,
// or host itself if that is not possible.
func ascii(host string) string {
	if !strings.ContainsFunc(host, func(c rune) bool { return c >= 0x80 }) {
		return host
	}
	// The conversion is not exported, but it is a part of writing a request.
	var out bytes.Buffer
	r := http.Request{URL: &url.URL{Host: host, Path: "/"}}
	if r.Write(&out) == nil {
		if _, rest, ok := strings.Cut(out.String(), "\r\nHost: "); ok {
			host, _, _ = strings.Cut(rest, "\r\n")
		}
	}
	return host
}
