package broadcast

import (
	"runtime"
	"strconv"
	"strings"
)

// A lag finds subscriptions that have fallen behind. Broadcast.mu guards it, apart from
// handler, which never changes.
type lag struct {
	handler func(name string, backlog uint64)
	look    uint64 // the number of values sent at which to look at all positions
}

// late is what the handler is told.
type late struct {
	name    string
	backlog uint64
}

// lateLocked returns the subscriptions that have fallen behind by half the capacity
// since the handler was last told of them. While none can have, it costs a comparison.
func (b *Broadcast[T]) lateLocked() (all []late) {
	if b.lag.handler == nil || b.log.sent < b.lag.look {
		return nil
	}
	sent, half := b.log.sent, max(1, b.log.capacity/2)
	look := sent + half
	for _, p := range b.subs {
		s := p.Value()
		if s == nil || s.over() {
			continue
		}
		at := s.needs()
		if s.lagged > 0 && (at >= s.lagged || sent-at < half) {
			s.lagged = 0
		}
		switch {
		case s.lagged > 0:
			look = min(look, s.lagged+half)
		case sent-at >= half:
			s.lagged = sent
			all = append(all, late{s.name, sent - at})
		default:
			look = min(look, at+half)
		}
	}
	b.lag.look = max(look, sent+max(1, b.log.capacity/8))
	return all
}

// tell calls the handler.
func (l *lag) tell(all []late) {
	for _, x := range all {
		l.handler(x.name, x.backlog)
	}
}

// caller returns the file and line of the call into this package.
func caller() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "github.com/tandemgo/tandem/broadcast.") {
			return f.File + ":" + strconv.Itoa(f.Line)
		}
		if !more {
			return ""
		}
	}
}
