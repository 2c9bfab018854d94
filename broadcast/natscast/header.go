package natscast

import (
	"strconv"
	"strings"
)

// headerName is the one header of our messages: what is said is in one value,
// since each header costs.
const headerName = "Tandem-Cast"

// A kind is what a message is.
type kind byte

const (
	kindValue   kind = 'v' // seq is its number
	kindBeat    kind = 'b' // seq is how many values there were
	kindGoodbye kind = 'g' // the same, and there will be no more
)

// A label is what the header of a message says.
type label struct {
	kind   kind
	origin string
	epoch  string
	seq    uint64
	period int64 // in milliseconds: how long it is at most from one message to the next
}

// String returns the label as it is written: "v 17 1000 epoch origin".
func (l label) String() string {
	b := make([]byte, 0, 64)
	b = append(b, byte(l.kind), ' ')
	b = strconv.AppendUint(b, l.seq, 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, l.period, 10)
	b = append(b, ' ')
	b = append(b, l.epoch...)
	b = append(b, ' ')
	b = append(b, l.origin...)
	return string(b)
}

// A labelReader reads labels. Those of one origin differ in two words only, so the
// rest of the last one is kept.
type labelReader struct {
	rest string
	last label
}

// read reads what String has written.
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

// keep reads the rest of a label, and keeps it.
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
