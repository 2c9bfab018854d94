package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A smallListener gives its connections small buffers, so a stalled viewer is noticed
// soon.
type smallListener struct{ net.Listener }

func (l smallListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(4 << 10)
	}
	return conn, err
}

// start runs the server on addr until the test or stop ends it.
func start(t *testing.T, addr string, c config) (at string, stop func()) {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, smallListener{ln}, c) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return ln.Addr().String(), stop
}

// A viewer reads events.
type viewer struct {
	res   *http.Response
	lines *bufio.Scanner
}

type event struct{ id, name, data string }

func view(t *testing.T, addr, last string) *viewer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return &viewer{res, bufio.NewScanner(res.Body)}
}

// next returns the next event, false at the end.
func (v *viewer) next() (e event, ok bool) {
	for v.lines.Scan() {
		switch key, value, _ := strings.Cut(v.lines.Text(), ": "); key {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "":
			if e.data != "" { // otherwise it is no event
				return e, true
			}
		}
	}
	return e, false
}

// Two viewers get the same samples; a viewer that reconnects continues where it was,
// and notices a restart of the server; the end is announced.
func TestFeed(t *testing.T) {
	c := config{every: time.Millisecond, retain: 100_000} // more than any viewer is behind
	addr, stop := start(t, "127.0.0.1:0", c)
	a := view(t, addr, "")
	var got []event
	for range 20 {
		e, ok := a.next()
		if !ok {
			t.Fatal("the stream has ended")
		}
		got = append(got, e)
	}
	b := view(t, addr, got[4].id)
	var again []event
	for range 15 {
		e, _ := b.next()
		again = append(again, e)
	}
	if diff := cmp.Diff(got[5:], again, cmp.AllowUnexported(event{})); diff != "" {
		t.Errorf("the second viewer (-first +second):\n%s", diff)
	}
	var s Sample
	if err := json.Unmarshal([]byte(got[19].data), &s); err != nil || s.Goroutines == 0 || s.Heap == 0 || s.Time == 0 {
		t.Errorf("%v: %+v", err, s)
	}
	stop()
	last := event{}
	for e, ok := a.next(); ok; e, ok = a.next() {
		last = e
	}
	if last.name != "end" {
		t.Errorf("the stream ended with %+v", last)
	}
	again2, _ := start(t, addr, c)
	if e, _ := view(t, again2, got[19].id).next(); e.name != "reset" {
		t.Errorf("after the restart: %+v", e)
	}
}

// The page is complete and needs no other host.
func TestPage(t *testing.T) {
	addr, _ := start(t, "127.0.0.1:0", config{every: time.Hour, retain: 1})
	defer http.DefaultClient.CloseIdleConnections()
	for path, want := range map[string]string{
		"":                        "<title>livefeed</title>",
		"page.js":                 "EventSource",
		"page.css":                "#charts",
		"uplot/uPlot.iife.min.js": "uPlot (v1.6.32)",
		"uplot/uPlot.min.css":     ".uplot",
		"uplot/LICENSE":           "MIT License",
		"viewers.json":            `"Sent":0`,
	} {
		res, err := http.Get("http://" + addr + "/" + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("/%s: %v, %s, %.80s", path, err, res.Status, body)
		}
		if path == "" && strings.Contains(string(body), "//") {
			t.Error("the page refers to another host")
		}
	}
}

func TestCommandLine(t *testing.T) {
	for _, args := range [][]string{{"-every", "0"}, {"-retain", "0"}, {"x"}, {"-nonsense"}} {
		if code := run(t.Context(), args, io.Discard); code != 2 {
			t.Errorf("%v: exit %d", args, code)
		}
	}
	if code := run(t.Context(), []string{"-h"}, io.Discard); code != 0 {
		t.Errorf("-h: exit %d", code)
	}
	ctx, cancel := context.WithCancel(t.Context())
	pr, pw := io.Pipe()
	code := make(chan int)
	go func() { code <- run(ctx, []string{"-addr", "127.0.0.1:0"}, pw) }()
	var u string
	if _, err := fmt.Fscanf(pr, "live charts at %s", &u); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, pr) }()
	cancel()
	if c := <-code; c != 0 {
		t.Errorf("exit %d", c)
	}
	pw.Close()
}
