package natspool

import (
	"encoding/json"
	"errors"
	"fmt"
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

	result       = "r." // and a token, after the inbox: a result
	confirmation = "c." // and a number in the stream: of an acknowledgement
	receipt      = "a." // and a number in the stream: the result of that task has come
	purged       = "p"  // what the server says about messages that are to be deleted

	// overhead is what a task or a result may be smaller than the largest message of
	// the server, or half of that if it is less: a dead letter has to be as large as the task, and headers. The task's
	// message id counts, except for its first bytes.
	overhead = 32 << 10
	shortID  = 256
	// maxHeader is for the failure and the message id in a dead letter. The server
	// refuses headers of more than 64 KiB in all. minHeader is left to them in a letter
	// that is too large, and restOfHeader to all else.
	maxHeader    = 62 << 10
	minHeader    = 512
	restOfHeader = 512
	maxFailure   = 24 << 10 // of that, for the failure
	maxText      = 4 << 10  // of an error
	maxStack     = 8 << 10
)

// A failure is an error as it travels.
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
)

// failureOf returns err as it travels. Package fmt calls the methods of err, and bears
// it if they panic.
func failureOf(d *delivery, err error) *failure {
	f := &failure{Text: cut(fmt.Sprint(err), maxText), Attempts: d.delivered}
	if p, ok := err.(*pool.PanicError); ok {
		f.panicked(p)
	}
	return f
}

func (f *failure) panicked(p *pool.PanicError) {
	f.Kind, f.Stack = panicked, cut(string(p.Stack), maxStack)
	f.Text = cut(fmt.Sprint(p.Value), maxText)
}

// classify looks at what err wraps. Methods of err may panic.
func (f *failure) classify(err error) {
	if p, ok := errors.AsType[*pool.PanicError](err); ok {
		f.panicked(p)
	}
	if errors.Is(err, pool.ErrGoexit) {
		f.Kind = exited
	}
	if _, ok := errors.AsType[*undecodableError](err); ok {
		f.Kind = undecodable
	}
}

// err returns the error that a failure stands for.
func (f *failure) err() *TaskError {
	e := &TaskError{Text: f.Text, Attempts: f.Attempts}
	switch f.Kind {
	case panicked:
		p := &pool.PanicError{Value: f.Text, Stack: []byte(f.Stack)}
		e.cause, e.Text = p, p.Error()
	case exited:
		e.cause = pool.ErrGoexit
	}
	return e
}

func cut(s string, n int) string { return strings.ToValidUTF8(s[:min(len(s), n)], "") }

// header returns a failure as the value of a header, of at most so many bytes: the
// stack and the text are cut until it fits.
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

// parseFailure returns the failure in a header, nil if there is none.
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

// answer sends the outcome of a task to whoever waits for it.
func (c *core) answer(d *delivery, data []byte, f *failure) {
	reply := d.header.Get(replyHeader)
	if reply == "" {
		return
	}
	m := &nats.Msg{Subject: reply, Data: data}
	if f != nil {
		m.Header = nats.Header{failureHeader: {f.header(min(maxFailure, int(c.nc.MaxPayload())-restOfHeader))}}
	}
	c.sendResult(d.seq, m)
}

// reply is called with what comes to the inbox, one message after the other.
func (c *core) reply(m *nats.Msg) {
	token := m.Subject[len(c.inbox):]
	if seq, ok := strings.CutPrefix(token, confirmation); ok {
		if len(m.Header) == 0 { // otherwise there is nobody to confirm it, and keep asks again
			c.confirmed(seq)
		}
		return
	}
	if seq, ok := strings.CutPrefix(token, receipt); ok {
		if len(m.Header) == 0 { // otherwise nobody is there, and keep sends it again
			c.received(seq)
		}
		return
	}
	if token, ok := strings.CutPrefix(token, result); ok {
		var err error
		if f := parseFailure(m.Header); f != nil {
			err = f.err()
		}
		c.mu.Lock()
		c.resolveLocked(token, m.Data, err)
		c.mu.Unlock()
		if m.Reply != "" {
			c.tell(c.nc.Publish(m.Reply, nil))
		}
	}
}

func (c *core) confirmed(seq string) {
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.held[n]; d != nil && d.state == ended {
		c.dropLocked(d)
	}
}
