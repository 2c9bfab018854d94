package natspool

import "strconv"

// A promise is what a Future stands for, without the type of the result.
type promise struct {
	token string
	done  chan struct{} // closed when data and err are there
	data  []byte
	err   error

	// Under core.mu.
	seq     uint64 // of the task in the stream, 0 until it is acknowledged
	missing bool   // an audit has found that the task has ended
}

// promiseLocked makes a promise, whose token is that of its result: the newest one.
func (c *core) promiseLocked() *promise {
	p := &promise{token: strconv.FormatUint(c.tokens, 36), done: make(chan struct{})}
	c.promises[p.token] = p
	return p
}

// resolveLocked ends the promise that has the token, if there is one.
func (c *core) resolveLocked(token string, data []byte, err error) {
	p := c.promises[token]
	if p == nil {
		return // a second result of a task that has run twice, or nobody waits any more
	}
	delete(c.promises, token)
	p.data, p.err = data, err
	close(p.done)
	c.changedLocked()
}

// forget drops a promise that nobody has, nil for none.
func (c *core) forget(p *promise) {
	if p != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.promises, p.token)
		c.changedLocked()
	}
}
