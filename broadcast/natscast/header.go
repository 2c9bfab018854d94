package natscast

import (
	"strconv"
	"strings"
)

// headerName is the only header of our messages. It has all fields in one value, since
// each header costs.
const headerName = "Tandem-Cast"

// A kind is the type of a message.
type kind byte

const (
	kindValue   kind = 'v' // seq is its number
	kindBeat    kind = 'b' // seq is the number of values so far
	kindGoodbye kind = 'g' // as a beat, and no more values follow
)

// A label is the content of the header.
type label struct {
	kind   kind
	origin string
	epoch  string
	seq    uint64
	period int64 // longest time between two messages, in milliseconds
}

// String returns the label in the format of the header: "v 17 1000 epoch origin".
func (l label) String() string {
	return string(l.kind) + " " + strconv.FormatUint(l.seq, 10) + " " + strconv.FormatInt(l.period, 10) + " " + l.epoch + " " + l.origin
}

// A labelReader parses labels. The labels of one origin differ only in kind and number,
// so the reader caches the rest of the last one.
type labelReader struct {
	rest string
	last label
}

// read parses the format of String.
func (r *labelReader) read(s string) (l label, ok bool) {
	if len(s) < 2 || s[1] != ' ' {
		return label{}, false
	}
	k := kind(s[0])
	if k != kindValue && k != kindBeat && k != kindGoodbye {
		return label{}, false
	}
	number, rest, _ := strings.Cut(s[2:], " ")
	seq, err := strconv.ParseUint(number, 10, 64)
	if err != nil || rest == "" || rest != r.rest && !r.keep(rest) {
		return label{}, false
	}
	l = r.last
	l.kind, l.seq = k, seq
	return l, true
}

// keep parses the rest of a label, and caches it.
func (r *labelReader) keep(rest string) bool {
	period, who, _ := strings.Cut(rest, " ")
	epoch, origin, _ := strings.Cut(who, " ")
	if epoch == "" || origin == "" || strings.IndexByte(origin, ' ') >= 0 {
		return false
	}
	n, err := strconv.ParseInt(period, 10, 64)
	if err != nil || n < 1 {
		return false
	}
	r.rest, r.last = rest, label{origin: origin, epoch: epoch, period: n}
	return true
}
