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

// parseLabel reads what String has written.
func parseLabel(s string) (l label, ok bool) {
	k, s, _ := strings.Cut(s, " ")
	seq, s, _ := strings.Cut(s, " ")
	period, s, _ := strings.Cut(s, " ")
	epoch, origin, _ := strings.Cut(s, " ")
	if len(k) != 1 || epoch == "" || origin == "" || strings.IndexByte(origin, ' ') >= 0 {
		return label{}, false
	}
	l = label{kind: kind(k[0]), origin: origin, epoch: epoch}
	if l.kind != kindValue && l.kind != kindBeat && l.kind != kindGoodbye {
		return label{}, false
	}
	var err error
	if l.seq, err = strconv.ParseUint(seq, 10, 64); err != nil {
		return label{}, false
	}
	if l.period, err = strconv.ParseInt(period, 10, 64); err != nil || l.period < 1 {
		return label{}, false
	}
	return l, true
}
