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
	failureHeader   = "Tandem-Failure"    // of a result or a dead letter: a failure as JSON
	messageIDHeader = "Tandem-Message-Id" // of a dead letter: the message id of the task

	result       = "r." // and a token, after the inbox: a result
	confirmation = "c." // and a number in the stream: of an acknowledgement

	// overhead is what a task or a result may be smaller than the largest message of
	// the server: a dead letter has to be as large as the task, and headers.
	overhead = 32 << 10
	maxText  = 4 << 10 // of an error, in a header
	maxStack = 8 << 10
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

// failureOf returns err as it travels, nil if it is nil.
func (c *core) failureOf(d *delivery, err error) *failure {
	if err == nil {
		return nil
	}
	f := &failure{Text: cut(err.Error(), maxText), Attempts: d.attempt}
	if p, ok := errors.AsType[*pool.PanicError](err); ok {
		f.Kind, f.Stack = panicked, cut(string(p.Stack), maxStack)
		f.Text = cut(fmt.Sprint(p.Value), maxText)
	}
	if errors.Is(err, pool.ErrGoexit) {
		f.Kind = exited
	}
	if _, ok := errors.AsType[*undecodableError](err); ok {
		f.Kind = undecodable
	}
	return f
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

// header returns a failure as the value of a header.
func (f *failure) header() string {
	text, _ := json.Marshal(f) // strings and a number
	return string(text)
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

// answer sends a result to whoever waits for it.
func (c *core) answer(reply string, data []byte, f *failure) {
	m := &nats.Msg{Subject: reply, Data: data}
	if f != nil {
		m.Data, m.Header = nil, nats.Header{failureHeader: {f.header()}}
	}
	c.tell(c.nc.PublishMsg(m))
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
	if token, ok := strings.CutPrefix(token, result); ok {
		var err error
		if f := parseFailure(m.Header); f != nil {
			err = f.err()
		}
		c.mu.Lock()
		c.resolveLocked(token, m.Data, err)
		c.mu.Unlock()
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
