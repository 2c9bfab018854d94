package httplimit

import (
	"net/netip"
	"strings"
)

// How a Forwarded header is read.
//
// Each proxy appends an element to the list that it was sent: for=…;host="…". The
// list that it was sent may be a client's, of any bytes. The value between quotes may
// be a client's too, and if the proxy copies it as it is, it can hold quotes, commas
// and whole elements. So the same header can have been made in several ways:
//
//	for=198.51.100.7;host="a",for=203.0.113.9;host="b"
//
// is one element of a proxy whose client, 198.51.100.7, has sent a host of
// `a",for=203.0.113.9;host="b`, or is an element of a client in front of that of a
// proxy whose client is 203.0.113.9. Nothing tells which.
//
// All ways are followed at once, as by an automaton for a regular expression. The
// header is cut at each comma and each semicolon, and a state holds the knowledge about
// the client if the header is read so that it is in that state between two pieces.
// The element that was read first may begin behind any comma. An address is believed
// only if all readings lead to it.

// A state is how much is known from hops.
type state uint8

const (
	impossible state = iota
	partial          // trusted proxies, with text in front that nothing is known about
	whole            // trusted proxies, from the beginning of the text
	known            // addr is the answer
	ambiguous        // there are several answers
)

// hops are a number of elements that are read one way or another.
type hops struct {
	state state
	// addr is the answer, or for trusted proxies the address that the first of them
	// names. It is the zero Addr if no proxy names one.
	addr netip.Addr
}

// or returns the knowledge if either a or b was meant.
func (a hops) or(b hops) hops {
	switch {
	case a.state == b.state && (a.addr == b.addr || a.state <= whole):
		return a
	case a.state <= partial || b.state <= partial:
		// Behind text that nothing is known about, an element can't be told from the
		// end of a longer reading, which knows more. A trusted proxy at the beginning
		// would have been named by an element in front.
		if a.state > b.state {
			return a
		}
		return b
	}
	return hops{state: ambiguous}
}

// then returns the knowledge after one more element, in which a proxy names a as its
// client. It is the zero Addr if the proxy names none.
func (h hops) then(o *ipOptions, a netip.Addr) hops {
	switch {
	case h.state == impossible:
	case !o.trusts(a):
		return hops{known, a}
	case !h.addr.IsValid() && h.state != ambiguous:
		h.addr = a
	}
	return h
}

// An element holds the knowledge at a place in an element, by how much of it has
// been read.
type element struct {
	empty   hops // nothing
	without hops // parameters, none of which is for=
	raw     hops // the same, and one of them is not a quoted-string of the RFC
	with    hops // for=, which is counted
}

// forwarded reads elements of a Forwarded header. If none is in front of text, more
// is false.
func (o *ipOptions) forwarded(text string, more bool) hops {
	at := element{empty: hops{state: partial}}
	if more {
		at.empty.state = whole
	}
	var quoted element // within a value that is quoted
	for {
		end := strings.IndexAny(text, ",;")
		piece := text
		if end >= 0 {
			piece = text[:end]
		}
		at = o.pair(trim(piece), at, &quoted)
		if end < 0 || text[end] == ',' {
			// The element is at its end. One that is not as in the RFC must have for=,
			// or else it would hide those of all others.
			at = element{empty: at.empty.or(at.with).or(at.without.then(o, netip.Addr{}))}
			if end < 0 {
				return at.empty
			}
			at.empty = at.empty.or(hops{state: partial})
		}
		text = text[end+1:]
	}
}

// pair reads a piece of text that has no comma and no semicolon.
func (o *ipOptions) pair(piece string, at element, quoted *element) (after element) {
	if piece == "" {
		return at
	}
	closes := piece[len(piece)-1] == '"'
	if closes { // a value that was opened by an earlier piece
		after = *quoted
	}
	name, value, ok := strings.Cut(piece, "=")
	if !ok || !isToken(name) {
		return after
	}
	without := at.empty.or(at.without)
	plain, ok := unquoted(value)
	switch isFor := strings.EqualFold(name, "for"); {
	case isFor && ok: // not if there is one already
		after.with = after.with.or(without.or(at.raw).then(o, address(plain)))
		return after
	case !isFor && !strings.EqualFold(name, "by") && strings.HasPrefix(value, `"`):
		// It is closed by this piece, or by any later one.
		quoted.raw = quoted.raw.or(without).or(at.raw)
		quoted.with = quoted.with.or(at.with)
		if !ok && closes && value != `"` {
			without, at.raw, ok = hops{}, without.or(at.raw), true
		}
	}
	if ok {
		after.without, after.raw, after.with = after.without.or(without), after.raw.or(at.raw), after.with.or(at.with)
	}
	return after
}

// unquoted returns a value that is not copied from a client: an address or a word. A
// word may have characters that only a quoted one should have, as IPv6 addresses do.
func unquoted(s string) (value string, ok bool) {
	inner, isQuoted := strings.CutPrefix(s, `"`)
	if !isQuoted {
		return s, !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == '"' || c == '\\' || c == 0x7f })
	}
	inner, ok = strings.CutSuffix(inner, `"`)
	if !ok || strings.IndexByte(inner, '\\') < 0 {
		return inner, ok && strings.IndexByte(inner, '"') < 0
	}
	var b strings.Builder
	for i := 0; i < len(inner); i++ {
		if inner[i] == '\\' {
			if i++; i == len(inner) {
				return "", false
			}
		} else if inner[i] == '"' {
			return "", false
		}
		b.WriteByte(inner[i])
	}
	return b.String(), true
}

// isToken reports whether s is a token of RFC 9110.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return !isAlphanumeric(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
	})
}
