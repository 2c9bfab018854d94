package natspipe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
)

// A Msg is an envelope: a value on its way through a pipeline, and its share of the
// acknowledgement of the messages that it was made of. A [Source] and [NewMsg] make them,
// [Map], [FlatMap] and [Batch] make others of them, and a [Sink] or [Ack] ends them.
//
// Each envelope ends once. So it goes one way: the stages Merge and Zip of package
// pipeline, which send one item on several ways, panic in their second end; let a FlatMap
// emit several items instead. The stages Then, Split, ByKey, Buffer, Tap and Throttle may
// be used on envelopes. An envelope that they or other code drop is handed back by
// [Source.Close].
type Msg[T any] struct {
	Value T // the value on its way
	share *share
}

// NewMsg returns an envelope that does not come from a Source, for a pipeline that begins
// with other values, or to store values in a stream in the first place. Of the values
// with one id, the stream of a Sink stores the first within its duplicate window. An error
// of its function ends the run, since no message can be delivered again.
func NewMsg[T any](id string, v T) Msg[T] {
	return Msg[T]{v, &share{id: func() string { return headerID(id) }}}
}

// headerID returns an id as the value of a header. Two ids never have the same one: the client
// trims values and replaces line breaks, so an id that begins or ends with a space, or that a
// Go string has escapes for, such as a quote, is quoted.
func headerID(id string) string {
	if q := strconv.Quote(id); q != `"`+id+`"` || id != strings.TrimSpace(id) {
		return q
	}
	return id
}

// ID returns the message id under which a Sink would store the value, apart from the
// subject of the Sink: the stream, the instant of its creation, the name of the consumer
// and the number of the message, then the index of the value in each FlatMap. Behind a
// Batch it is a hash of the ids of the members. An id given to [NewMsg] that a header cannot
// hold as it is, such as one with a line break, is quoted as in Go, and so is one with quotes.
func (m Msg[T]) ID() string { return m.share.id() }

// handBack is the function of OnDiscard.
func (m Msg[T]) handBack() { m.share.settle(handedBack, nil) }

// An outcome is what becomes of an envelope. That of a message is the largest among those
// of all envelopes that were made of it.
type outcome int

const (
	done       outcome = iota // delivered to a stream or to a function, or left out by a Filter
	dropped                   // by ErrSkip
	dead                      // failed for good
	failed                    // to be delivered again, later
	handedBack                // to be delivered again, at once
)

// A share is an envelope's part in the acknowledgement of messages.
type share struct {
	of      []*delivery   // empty for NewMsg
	id      func() string // see Msg.ID
	settled atomic.Bool
}

// claim marks s as settled.
func (s *share) claim() {
	require(s != nil, "a Msg must be made by a Source or by NewMsg")
	require(s.settled.CompareAndSwap(false, true), "an envelope has ended twice: it must go one way, so not through Merge or Zip of package pipeline")
}

// settle ends the share.
func (s *share) settle(o outcome, err error) {
	s.claim()
	for _, d := range s.of {
		d.settle(o, err)
	}
}

// split ends the share and gives one to each of the items that were made of its value.
func split[T any](s *share, all []Msg[T]) {
	s.claim()
	for _, d := range s.of {
		d.feed.mu.Lock()
		d.left += len(all) - 1
		d.feed.mu.Unlock()
	}
	for i := range all {
		all[i].share = &share{of: s.of, id: func() string { return s.id() + "/" + strconv.Itoa(i) }}
	}
}

// join ends the shares of a batch and returns one in their place.
func join[T any](_ context.Context, batch []Msg[T]) (Msg[[]T], error) {
	s, values, members := new(share), make([]T, len(batch)), make([]*share, len(batch))
	for i, m := range batch {
		m.share.claim()
		s.of = append(s.of, m.share.of...)
		values[i], members[i] = m.Value, m.share
	}
	s.id = func() string {
		h := sha256.New()
		for _, m := range members {
			fmt.Fprintf(h, "%s\x00", m.id())
		}
		return hex.EncodeToString(h.Sum(nil)[:16])
	}
	return Msg[[]T]{values, s}, nil
}
