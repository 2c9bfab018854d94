package natspipe

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A delivery is a message that this process holds: it is queued for the source, on its
// way through the run, or about to become a dead letter.
type delivery struct {
	feed      *feed
	seq       uint64
	delivered int       // number of this delivery, counted by the server from 1
	stored    time.Time // at the server; with seq what no other message has, also of a later stream of that name
	header    nats.Header
	data      []byte
	root      share

	// Guarded by feed.mu.
	msg    jetstream.Msg // of the newest delivery
	left   int           // envelopes that have not ended
	worst  outcome       // of those that have
	reason error
}

// id is the message id of a value that is made of the message.
func (d *delivery) id() string {
	return d.feed.stream + "/" + strconv.FormatInt(d.stored.UnixNano(), 36) + "/" + d.feed.name + "/" + strconv.FormatUint(d.seq, 10)
}

// settle ends an envelope. With the last one it ends the delivery: the server learns what
// becomes of the message.
func (d *delivery) settle(o outcome, reason error) {
	f := d.feed
	if o == failed && (d.delivered >= f.maxDeliver || isPermanent(reason)) {
		o = dead
	}
	f.mu.Lock()
	d.left--
	if o > d.worst {
		d.worst, d.reason = o, reason
	}
	if d.left > 0 || f.held[d.seq] != d {
		f.mu.Unlock() // not the last one, or handed back by close
		return
	}
	if d.worst == dead {
		f.background.Go(func() { f.storeDeadLetter(d) })
		f.mu.Unlock()
		return
	}
	f.answer(d)
	if d.worst == failed {
		f.onError(d.failure())
	}
}

// answer counts the end of a delivery, forgets it, unlocks mu, and tells the server.
func (f *feed) answer(d *delivery) {
	delete(f.held, d.seq)
	f.ends[d.worst]++
	if len(f.held) <= f.window/2 {
		select {
		case f.room <- struct{}{}:
		default:
		}
	}
	f.mu.Unlock()
	var err error
	switch d.worst {
	case done:
		err = d.msg.Ack()
	case dropped, dead:
		err = d.msg.TermWithReason("dropped, or stored as a dead letter")
	case failed:
		err = d.msg.NakWithDelay(f.backoff[min(d.delivered, len(f.backoff))-1])
	case handedBack:
		err = d.msg.Nak()
	}
	f.tell(err)
}

func (d *delivery) failure() *MessageError {
	return &MessageError{d.feed.stream, d.seq, d.delivered, d.worst == dead, d.reason}
}

// ErrorHeader is the header of a dead letter that has the text of the error, at most its
// first 4 KiB. The other headers are those of the message.
const ErrorHeader = "Natspipe-Error"

// maxHeaders is the size of the headers that a stream stores at most.
const maxHeaders = 1<<16 - 1

// storeDeadLetter stores a dead letter, and then terminates the message. If the letter cannot be
// stored, the message is delivered again after a delay.
func (f *feed) storeDeadLetter(d *delivery) {
	e := d.failure()
	f.onError(e)
	ctx, cancel := context.WithTimeout(context.Background(), maxCall)
	defer cancel()
	if _, err := f.js.PublishMsg(ctx, d.letter(e.Err)); err != nil {
		f.onError(fmt.Errorf("natspipe: the dead letter of message %d of stream %q is not stored: %w", d.seq, f.stream, err))
		d.worst = failed
	}
	f.mu.Lock()
	f.answer(d)
}

// letter returns the dead letter. So that it can be stored, the text of the error is cut to what a
// message has room for; if there is no room for the message id either, a letter whose confirmation
// is lost is stored twice.
func (d *delivery) letter(err error) *nats.Msg {
	m := &nats.Msg{Subject: d.feed.deadSubject(), Data: d.data, Header: nats.Header{}}
	maps.Copy(m.Header, d.header)
	maps.DeleteFunc(m.Header, func(name string, _ []string) bool { // such as an expectation of the stream before
		return strings.HasPrefix(name, "Nats-")
	})
	room := func(name string) int { // for the text of a further header
		size := m.Size()
		return min(int(d.feed.nc.MaxPayload())-size, maxHeaders-size+len(m.Data)) - len(name) - len("NATS/1.0\r\n: \r\n\r\n")
	}
	if id := d.id(); len(id) <= room(jetstream.MsgIDHeader) {
		m.Header.Set(jetstream.MsgIDHeader, id)
	}
	if most := room(ErrorHeader); most > 0 {
		text := fmt.Sprint(err) // not Error, which may panic
		m.Header.Set(ErrorHeader, text[:min(len(text), most, 4096)])
	}
	return m
}

// isPermanent reports whether err is marked as those of pipeline.Permanent are.
func isPermanent(err error) bool {
	p, ok := errors.AsType[interface {
		error
		Permanent() bool
	}](err)
	return ok && p.Permanent()
}
