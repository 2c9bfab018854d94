package natspool

import (
	"context"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/tandemgo/tandem/pool"
)

const (
	replyHeader     = "Tandem-Reply"      // of a task: where its result goes
	callHeader      = "Tandem-Call"       // of a task with a message id: the call that submitted it
	failureHeader   = "Tandem-Failure"    // of a result or a dead letter: a failure as JSON
	messageIDHeader = "Tandem-Message-Id" // of a dead letter: the message id of the task

	// The kinds of replies: the subject is the inbox, the kind, "." and a token.
	result       = "r" // token of a promise: a result
	confirmation = "c" // number in the stream: of an acknowledgement
	purged       = "p" // the server's answer to forgetBacks

	// overhead is how much smaller than the server's largest message a task or a result
	// must be, but at most half of that size: a dead letter contains the task and
	// headers. The bytes of the task's message id beyond shortID count towards the
	// task.
	overhead = 32 << 10
	shortID  = 256
	// maxFailure bounds the failure in a result and in a dead letter, and minFailure that
	// in a letter that is too large. The server refuses headers of more than 64 KiB in
	// all, which the message id, of at most maxID, is a part of. restOfHeader is reserved
	// for the other headers.
	maxFailure   = 24 << 10
	minFailure   = 512
	restOfHeader = 512
	maxText      = 4 << 10 // of an error
	maxStack     = 8 << 10
)

// A failure is the form in which an error is sent.
type failure struct {
	Text     string `json:"error"`
	Kind     string `json:"kind,omitempty"`
	Stack    string `json:"stack,omitempty"`
	Attempts int    `json:"attempts"`
}

const (
	panicked    = "panic"
	exited      = "goexit"
	undecodable = "undecodable"
	canceled    = "canceled"
	exhausted   = "exhausted" // not run: it had no attempts left
)

// err returns the error that f describes.
func (f *failure) err() *TaskError {
	e := &TaskError{Text: f.Text, Attempts: f.Attempts}
	switch f.Kind {
	case panicked:
		p := &pool.PanicError{Value: f.Text, Stack: []byte(f.Stack)}
		e.cause, e.Text = p, p.Error()
	case exited:
		e.cause = pool.ErrGoexit
	case canceled:
		e.cause = context.Canceled
	}
	return e
}

func cut(s string, n int) string { return strings.ToValidUTF8(s[:min(len(s), n)], "") }

// header returns a failure as the value of a header of at most the given number of
// bytes; it cuts the stack and the text until they fit.
func (f failure) header(most int) string {
	for {
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		_ = e.Encode(f) // strings and a number
		value := strings.TrimSuffix(b.String(), "\n")
		switch {
		case len(value) <= most || f.Text == "" && f.Stack == "":
			return value
		case len(f.Stack) > len(f.Text):
			f.Stack = cut(f.Stack, len(f.Stack)/2)
		default:
			f.Text = cut(f.Text, len(f.Text)/2)
		}
	}
}

// parseFailure returns the failure in a header, or nil if there is none.
func parseFailure(h nats.Header) *failure {
	text := h.Get(failureHeader)
	if text == "" {
		return nil
	}
	f := new(failure)
	if err := json.Unmarshal([]byte(text), f); err != nil {
		f.Text = text
	}
	return f
}

// inboxed matches the subjects of results: an inbox, the kind and a token.
var inboxed = regexp.MustCompile(`^[^$\s]\S*\.[0-9A-Za-z]{22}\.` + result + `\.[0-9a-z]+$`)

// replyTo returns where the result of a task goes, "" for nowhere. A client that may store tasks must
// not be able to have a worker publish on any subject, such as one of JetStream's API.
func replyTo(h nats.Header) string {
	if reply := h.Get(replyHeader); inboxed.MatchString(reply) {
		return reply
	}
	return ""
}

// answer sends the outcome of a task to the process that waits for it.
func (c *core) answer(d *delivery, data []byte, f *failure) {
	reply := replyTo(d.header)
	if reply == "" {
		return
	}
	m := &nats.Msg{Subject: reply, Data: data}
	if f != nil {
		m.Header = nats.Header{failureHeader: {f.header(min(maxFailure, int(c.nc.MaxPayload())-restOfHeader))}}
	}
	c.sendResult(d.seq, m)
}

// reply is called with the messages of the inbox, one at a time.
func (c *core) reply(m *nats.Msg) {
	kind, token, _ := strings.Cut(m.Subject[len(c.inbox):], ".")
	seq, _ := strconv.ParseUint(token, 10, 64)
	c.mu.Lock()
	d := c.held[seq]
	switch {
	case kind == result:
		var err error
		if f := parseFailure(m.Header); f != nil {
			err = f.err()
		}
		c.resolveLocked(token, m.Data, err)
	case kind == confirmation && len(m.Header) == 0 && d != nil && d.state == ended: // with a header it is no answer
		c.dropLocked(d)
	}
	c.mu.Unlock()
}
