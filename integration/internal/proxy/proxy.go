// Package proxy simulates a bad network: a loopback address in front of a server that a
// test can cut, stall or slow down.
//
// It is not Shopify/toxiproxy: there, a link whose data is stopped loses the data and is
// closed when it goes on, and a link that is delayed for very long keeps its goroutines
// when it is closed meanwhile. A stalled link that goes on with all its data is what most
// tests here need, and each test must end without goroutines. It would also add an HTTP
// server, metrics and a logger to the modules of the tests.
package proxy

import (
	"net"
	"sync"
	"testing"
	"time"
)

// A Proxy forwards connections to a server.
type Proxy struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond // of the fields below
	conns   map[net.Conn]struct{}
	mode    mode
	delay   time.Duration
	closed  bool
}

type mode int

const (
	passes mode = iota
	stalls
	refuses
)

// New starts a proxy in front of target, a host and port. The proxy ends with the test.
func New(tb testing.TB, target string) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{listener: l, target: target, conns: map[net.Conn]struct{}{}}
	p.changed = sync.NewCond(&p.mu)
	p.running.Go(p.accept)
	tb.Cleanup(p.close)
	return p
}

// Addr returns the host and port to connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Pass forwards everything at once, from now on.
func (p *Proxy) Pass() { p.set(passes, 0) }

// Stall forwards nothing and keeps connections open, as when a cable is unplugged: data
// sent meanwhile arrives after Pass, or never.
func (p *Proxy) Stall() { p.set(stalls, 0) }

// Delay delays everything that the server sends by d.
func (p *Proxy) Delay(d time.Duration) { p.set(passes, d) }

// Cut closes all connections and refuses new ones, until Pass.
func (p *Proxy) Cut() {
	p.set(refuses, 0)
	p.Drop()
}

// Drop closes all connections and accepts new ones.
func (p *Proxy) Drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

func (p *Proxy) set(m mode, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode, p.delay = m, delay
	p.changed.Broadcast()
}

func (p *Proxy) close() {
	p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for c := range p.conns {
		c.Close()
	}
	p.changed.Broadcast()
	p.mu.Unlock()
	p.running.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	if !p.keep(client) {
		client.Close()
		return
	}
	defer p.drop(client)
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	if !p.keep(server) {
		server.Close()
		return
	}
	defer p.drop(server)
	var up sync.WaitGroup
	up.Go(func() { p.copy(server, client, false) })
	p.copy(client, server, true)
	up.Wait()
}

// keep records c, to close it later. It returns false if the proxy refuses c.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.mode == refuses {
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) drop(c net.Conn) {
	c.Close()
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

// copy copies until one side is closed, and then closes both.
func (p *Proxy) copy(to, from net.Conn, delayed bool) {
	defer to.Close()
	defer from.Close()
	type piece struct {
		data []byte
		due  time.Time
	}
	// Delayed data is read without delay: a slow server does not have less bandwidth.
	pieces := make(chan piece, 1024)
	var writing sync.WaitGroup
	writing.Go(func() {
		failed := false
		for x := range pieces {
			if failed {
				continue
			}
			time.Sleep(time.Until(x.due))
			if !p.passing() {
				failed = true
				continue
			}
			if _, err := to.Write(x.data); err != nil {
				failed = true
				from.Close()
			}
		}
	})
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			p.mu.Lock()
			d := p.delay
			p.mu.Unlock()
			if !delayed {
				d = 0
			}
			pieces <- piece{append([]byte(nil), buf[:n]...), time.Now().Add(d)}
		}
		if err != nil {
			break
		}
	}
	close(pieces)
	writing.Wait()
}

// passing waits while the proxy stalls. It returns false if the proxy ends.
func (p *Proxy) passing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.mode == stalls && !p.closed {
		p.changed.Wait()
	}
	return !p.closed && p.mode == passes
}
