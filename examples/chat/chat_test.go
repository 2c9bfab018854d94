package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/tandemgo/tandem/broadcast"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A smallListener gives its connections small buffers, so that a member who has stalled is
// seen soon.
type smallListener struct{ net.Listener }

func (l smallListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(4 << 10)
	}
	return conn, err
}

// start serves h until the test or stop ends it.
func start(t *testing.T, h *hub) (addr string, stop func()) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, smallListener{ln}, h) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return ln.Addr().String(), stop
}

// join connects a member to the room r.
func join(t *testing.T, addr, query string) *websocket.Conn {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	conn, _, err := websocket.Dial(t.Context(), "ws://"+addr+"/room/r?"+query, &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// next returns the next frame of a member.
func next(t *testing.T, conn *websocket.Conn) (f frame) {
	t.Helper()
	f, err := read(t, conn)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func read(t *testing.T, conn *websocket.Conn) (f frame, err error) {
	t.Helper()
	_, text, err := conn.Read(t.Context())
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return f, nil
}

// All members see the same messages in the same order, their own included.
func TestAllSeeTheSame(t *testing.T) {
	addr, _ := start(t, newHub(1024))
	const members, each = 3, 10
	conns := make([]*websocket.Conn, members)
	for i := range conns {
		conns[i] = join(t, addr, fmt.Sprintf("name=m%d", i))
	}
	for i, conn := range conns {
		go func() {
			for n := range each {
				if conn.Write(t.Context(), websocket.MessageText, fmt.Append(nil, n)) != nil {
					t.Errorf("member %d cannot write", i)
				}
			}
		}()
	}
	var first []frame
	for i, conn := range conns {
		var got []frame
		from := map[string]int{}
		for range members * each {
			f := next(t, conn)
			if f.Missed > 0 || f.Text != fmt.Sprint(from[f.From]) {
				t.Fatalf("member %d got %+v behind %d of that member", i, f, from[f.From])
			}
			from[f.From]++
			got = append(got, f)
		}
		if i == 0 {
			first = got
		} else if d := cmp.Diff(first, got); d != "" {
			t.Errorf("member %d sees another order: %s", i, d)
		}
	}
}

// A member who comes back gets the messages since the last one, and the number of those that are
// not retained.
func TestComeBack(t *testing.T) {
	const backlog = 16
	h := newHub(backlog)
	addr, _ := start(t, h)
	stays := join(t, addr, "name=a") // so that the room does
	send(t, h, 5)
	last := uint64(0)
	for range 5 {
		last = next(t, stays).Number
	}
	for _, more := range []int{0, 3, 100} {
		send(t, h, more)
		back := join(t, addr, fmt.Sprintf("name=b&after=%d", last))
		missed, got := 0, 0
		for missed+got < more {
			f := next(t, back)
			if f.Missed > 0 {
				missed += int(f.Missed)
			} else {
				got++
			}
			if want := last + uint64(missed+got); f.Number != want {
				t.Fatalf("after %d, got number %d, want %d", last, f.Number, want)
			}
		}
		if missed > max(more-backlog, 0) {
			t.Errorf("%d of %d missed, with a backlog of %d", missed, more, backlog)
		}
		for n := 0; n < more; n++ {
			f := next(t, stays)
			n += int(max(f.Missed, 1)) - 1
			last = f.Number
		}
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + addr + "/room/r?after=x")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("after=x: %s", res.Status)
	}
}

func send(t *testing.T, h *hub, n int) {
	t.Helper()
	for range n {
		if err := h.rooms.Send(t.Context(), "r", message{Text: strings.Repeat("x", 1000)}); err != nil {
			t.Fatal(err)
		}
	}
}

// A member who takes nothing loses the connection, and delays nobody: the others get every message,
// or its place in a gap.
func TestAMemberWhoStalls(t *testing.T) {
	h := newHub(64)
	h.writeTimeout = 100 * time.Millisecond
	addr, _ := start(t, h)
	reads := join(t, addr, "name=reads")
	tcp, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	_ = tcp.(*net.TCPConn).SetReadBuffer(4 << 10)
	fmt.Fprint(tcp, "GET /room/r?name=stalls HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	for both := false; !both; {
		st, _ := h.rooms.Stats("r")
		both = len(st.Subscriptions) == 2
	}
	sent, seen := 0, 0
	for alone := false; !alone; {
		send(t, h, 1)
		sent++
		for seen < sent {
			seen += int(max(next(t, reads).Missed, 1))
		}
		st, ok := h.rooms.Stats("r")
		alone = ok && len(st.Subscriptions) == 1 && st.Subscriptions[0].Name == "reads"
	}
	if seen != sent {
		t.Errorf("%d of %d messages accounted for", seen, sent)
	}
}

// At the end of the server members get the messages before, and then a close frame that has the
// reason.
func TestTheEnd(t *testing.T) {
	h := newHub(1024)
	addr, stop := start(t, h)
	conn := join(t, addr, "name=a")
	send(t, h, 100)
	ended := make(chan struct{})
	go func() { defer close(ended); stop() }()
	for i := range 100 {
		if f := next(t, conn); f.Missed > 0 || f.Text == "" {
			t.Fatalf("frame %d: %+v", i, f)
		}
	}
	if _, err := read(t, conn); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("got %v, want a close frame: going away", err)
	}
	<-ended
	if _, err := h.rooms.Subscribe("r"); err != broadcast.ErrClosed {
		t.Errorf("a room after the end: %v", err)
	}
}

// The program serves the page, and ends when it is told to.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	status := make(chan int, 1)
	go func() { status <- run(ctx, []string{"-addr", "127.0.0.1:0"}, w); w.Close() }()
	var url string
	if _, err := fmt.Fscanf(r, "chat at %s", &url); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(strings.TrimSuffix(url, ","))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); !bytes.Contains(body, []byte("new WebSocket")) {
		t.Errorf("the page is %q", body)
	}
	cancel()
	if code := <-status; code != 0 {
		t.Errorf("exit status %d", code)
	}
	var out bytes.Buffer
	if code := run(t.Context(), []string{"x"}, &out); code != 2 {
		t.Errorf("an argument: exit status %d", code)
	}
}
