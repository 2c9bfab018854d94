package proxy_test

import (
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/tandemgo/tandem/integration/internal/proxy"
)

// echo is a server that sends back what it gets.
func echo(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	return l.Addr().String()
}

func dial(t *testing.T, p *proxy.Proxy) net.Conn {
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func say(t *testing.T, c net.Conn, what string) {
	t.Helper()
	if _, err := io.WriteString(c, what); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, c net.Conn, want string) {
	t.Helper()
	buf := make([]byte, len(want))
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != want {
		t.Fatalf("heard %q, %v; want %q", buf, err, want)
	}
}

func TestPassStallDelay(t *testing.T) {
	p := proxy.New(t, echo(t))
	c := dial(t, p)
	say(t, c, "one")
	hear(t, c, "one")

	p.Stall()
	say(t, c, "two")
	c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !os.IsTimeout(err) {
		t.Fatalf("while it stalls: %v", err)
	}
	c.SetReadDeadline(time.Time{})
	p.Pass()
	hear(t, c, "two")

	p.Delay(50 * time.Millisecond)
	start := time.Now()
	say(t, c, "three")
	hear(t, c, "three")
	if d := time.Since(start); d < 50*time.Millisecond {
		t.Fatalf("it took %v", d)
	}
}

func TestCut(t *testing.T) {
	p := proxy.New(t, echo(t))
	c := dial(t, p)
	say(t, c, "one")
	hear(t, c, "one")
	p.Cut()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Fatal("the connection is still there")
	}
	c = dial(t, p)
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Fatal("a connection was welcome")
	}
	p.Pass()
	c = dial(t, p)
	say(t, c, "two")
	hear(t, c, "two")
}
