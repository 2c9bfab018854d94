package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Real browsers: two pages see the same values; one is stalled, loses its
// connection, and is told its gap when it comes back; both survive a restart of
// the server.
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("no browser in short mode")
	}
	b := startBrowser(t)
	c := config{every: 2 * time.Millisecond, retain: 50, writeTimeout: 300 * time.Millisecond, retry: 100 * time.Millisecond}
	addr, stop := start(t, "127.0.0.1:0", c)
	proxy := startProxy(t, addr)
	good := b.open("http://" + addr + "/")
	weak := b.open("http://" + proxy.addr + "/")

	for _, p := range []*page{good, weak} {
		p.wait("feed.received > 100")
		p.wait("document.querySelectorAll('#charts canvas').length === 4")
		p.wait("document.getElementById('viewers').rows.length === 2")
		p.wait("Number(document.getElementById('received').textContent) > 100")
	}
	var seen, seenToo map[string]float64
	good.eval("feed.goroutines", &seen)
	weak.eval("feed.goroutines", &seenToo)
	same := 0
	for id, v := range seen {
		if w, ok := seenToo[id]; ok {
			if same++; v != w {
				t.Errorf("sample %s is %v on one page and %v on the other", id, v, w)
			}
		}
	}
	if same < 50 {
		t.Errorf("the pages have %d samples in common", same)
	}

	var missed, last int
	weak.eval("feed.missed", &missed)
	weak.eval("feed.last", &last)
	proxy.stall()
	// The other one goes on, far beyond what the stalled one could hold.
	good.wait("feed.last > " + strconv.Itoa(last+3000))
	good.wait("document.getElementById('viewers').rows.length === 1") // it was let go
	proxy.resume()
	weak.wait("feed.missed > " + strconv.Itoa(missed+c.retain))
	weak.wait("Number(document.getElementById('missed').textContent) > 0")
	for _, p := range []*page{good, weak} {
		var balance int
		if p.eval("feed.received + feed.missed - (feed.last - feed.first + 1)", &balance); balance != 0 {
			t.Errorf("received + missed is %d more than what was sent", balance)
		}
	}

	stop()
	start(t, addr, c)
	for _, p := range []*page{good, weak} {
		p.wait("feed.resets === 1 && feed.received > 20")
	}
}

// What is missing is seen: where a page has lost samples, it shows how many, and where
// none came, the lines of the charts have holes. That the server has restarted is said
// until its samples come, and stays in the charts.
func TestBrowserShowsHoles(t *testing.T) {
	if testing.Short() {
		t.Skip("no browser in short mode")
	}
	b := startBrowser(t)
	c := config{every: 50 * time.Millisecond, retain: 10, retry: 100 * time.Millisecond}
	addr, stop := start(t, "127.0.0.1:0", c)
	proxy := startProxy(t, addr)
	good := b.open("http://" + addr + "/")
	weak := b.open("http://" + proxy.addr + "/")
	for _, p := range []*page{good, weak} {
		p.wait("feed.received > 20 && statusIs('live')")
		p.never("holes.some(h => h.lost || h.restart)", "a hole, and nothing is missing")
		p.never("holes.length === 0 && !document.getElementById('holes').hidden", "a list of no holes")
	}

	proxy.cut(true)
	weak.wait("statusIs('no connection, trying again …')")
	var last int
	weak.eval("feed.last", &last)
	good.wait("feed.last > " + strconv.Itoa(last+4*c.retain))
	proxy.cut(false)
	weak.wait("feed.missed > 0 && seesHole(feed.missed + ' lost') && statusIs('live')")
	weak.wait("document.getElementById('missed').textContent === String(feed.missed)")
	weak.wait("document.querySelector('#holes li').textContent.includes(feed.missed + ' lost')")
	weak.wait("holes.some(h => h.lost === feed.missed) && linesHaveHoles()")
	good.never("holes.some(h => h.lost || h.restart)", "a hole of another page")

	stop()
	for _, p := range []*page{good, weak} {
		p.wait("!statusIs('live')")
	}
	start(t, addr, c)
	for _, p := range []*page{good, weak} {
		p.wait("feed.resets === 1 && seesHole('restart') && statusIs('live')")
	}
	for _, p := range []*page{good, weak} {
		p.wait("holes.some(h => h.restart) && linesHaveHoles()")
		p.never("document.body.innerText.includes('has restarted')", "the restart is said still")
	}

	// Nothing comes for longer than usual, though nothing is lost.
	addr, _ = start(t, "127.0.0.1:0", config{every: time.Hour, retain: 1})
	quiet := b.open("http://" + addr + "/")
	quiet.eval("[10, 10.5, 11, 20, 20.5].forEach(at => add(at, [1, 2, 3, 4])); draw(); true", new(bool))
	quiet.wait("seesHole('no samples') && holes.length === 1 && holes[0].from === 11 && holes[0].to === 20 && linesHaveHoles()")
}

// The page fits the screen, of a phone and of a desk, and its charts with it, also when
// that changes.
func TestBrowserFits(t *testing.T) {
	if testing.Short() {
		t.Skip("no browser in short mode")
	}
	b := startBrowser(t)
	addr, _ := start(t, "127.0.0.1:0", config{every: 20 * time.Millisecond, retain: 100})
	p := b.open("http://" + addr + "/")
	p.wait("feed.received > 20 && document.getElementById('viewers').rows.length === 1")
	for _, width := range []int{390, 1280, 320, 390, 768} {
		p.resize(width, 844)
		p.wait("innerWidth === " + strconv.Itoa(width) + " && chartsFit()")
		p.never("document.documentElement.scrollWidth > innerWidth", "the page is wider than the screen")
	}
}

// helpers are functions that tests ask pages with.
const helpers = `
const statusIs = text => document.getElementById('status').textContent === text;

// seesHole tells whether each chart has a mark that is seen and says text.
const seesHole = text => charts.every(c => [...c.plot.over.querySelectorAll('.marks b')].some(b => {
  const mark = b.getBoundingClientRect(), chart = c.plot.over.getBoundingClientRect();
  return b.checkVisibility() && b.textContent.includes(text) && mark.width > 0 && mark.height > 0 &&
    mark.left >= chart.left - 1 && mark.right <= chart.right + 1 && mark.top >= chart.top - 1 && mark.bottom <= chart.bottom + 1;
}));

// linesHaveHoles tells whether each line is interrupted at each hole, and nowhere else.
const linesHaveHoles = () => charts.every(c => {
  const [times, values] = c.data, here = holes.filter(h => h.from >= times[0]);
  return values.slice(1).filter(v => v === null).length >= here.length && here.every(h =>
    values[times.indexOf(h.from) + 1] === null && times.indexOf(h.to) === times.indexOf(h.from) + 2) &&
    values.every((v, i) => i === 0 || v !== null || holes.some(h => h.from <= times[i] && times[i] <= h.to));
});

// chartsFit tells whether each chart is as wide as its card, and inside of the page.
const chartsFit = () => charts.every(c => {
  const card = c.plot.root.parentElement, canvas = c.plot.root.querySelector('canvas').getBoundingClientRect();
  return Math.abs(canvas.width - card.clientWidth) <= 1 && canvas.left >= 0 && canvas.right <= innerWidth &&
    card.clientWidth > (innerWidth > 900 ? innerWidth / 3 : innerWidth * .8 - 40);
});
`

// A browser is a Chromium that is driven through a pipe, by the DevTools
// protocol: JSON that ends with a zero byte.
type browser struct {
	t     *testing.T
	write *os.File

	mu      sync.Mutex
	last    int
	waiting map[int]chan reply // nil: it has ended
}

type reply struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

func startBrowser(t *testing.T) *browser {
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome-headless-shell"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium on this machine: apt-get install chromium")
	}
	dir, err := os.MkdirTemp("", "livefeed")
	if err != nil {
		t.Fatal(err)
	}
	theirsIn, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read, theirsOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--remote-debugging-pipe", "--user-data-dir="+dir)
	cmd.ExtraFiles = []*os.File{theirsIn, theirsOut} // 3 and 4
	if err := cmd.Start(); err != nil {
		t.Skipf("Chromium does not start: %v", err)
	}
	theirsIn.Close()
	theirsOut.Close()
	b := &browser{t: t, write: ours, waiting: map[int]chan reply{}}
	var reading sync.WaitGroup
	reading.Go(func() { b.listen(read) })
	t.Cleanup(func() {
		_, _ = b.call("", "Browser.close", nil)
		ours.Close()
		reading.Wait()
		_ = cmd.Wait() // its status says nothing
		read.Close()
		_ = os.RemoveAll(dir)
	})
	return b
}

// listen hands replies to those who wait for them, until the browser has ended.
func (b *browser) listen(r io.Reader) {
	dec := json.NewDecoder(zeroToSpace{r})
	for {
		var msg struct {
			ID int
			reply
		}
		err := dec.Decode(&msg)
		b.mu.Lock()
		if err != nil {
			for _, ch := range b.waiting {
				close(ch)
			}
			b.waiting = nil
			b.mu.Unlock()
			return
		}
		if ch := b.waiting[msg.ID]; ch != nil {
			delete(b.waiting, msg.ID)
			ch <- msg.reply
		}
		b.mu.Unlock()
	}
}

// A zeroToSpace makes white space of the zero bytes between messages.
type zeroToSpace struct{ r io.Reader }

func (z zeroToSpace) Read(p []byte) (int, error) {
	n, err := z.r.Read(p)
	for i, c := range p[:n] {
		if c == 0 {
			p[i] = ' '
		}
	}
	return n, err
}

type params map[string]any

func (b *browser) call(session, method string, p params) (json.RawMessage, error) {
	ch := make(chan reply, 1)
	b.mu.Lock()
	if b.waiting == nil {
		b.mu.Unlock()
		return nil, io.ErrUnexpectedEOF
	}
	b.last++
	id := b.last
	b.waiting[id] = ch
	b.mu.Unlock()
	msg := params{"id": id, "method": method}
	if p != nil {
		msg["params"] = p
	}
	if session != "" {
		msg["sessionId"] = session
	}
	text, err := json.Marshal(msg)
	if err != nil {
		return nil, err
	}
	if _, err := b.write.Write(append(text, 0)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	select {
	case r, ok := <-ch:
		if !ok {
			return nil, io.ErrUnexpectedEOF
		}
		if r.Error != nil {
			return nil, errors.New(r.Error.Message)
		}
		return r.Result, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A page is a tab.
type page struct {
	b       *browser
	session string
}

func (b *browser) open(url string) *page {
	b.t.Helper()
	target := struct{ TargetID string }{}
	b.must("", "Target.createTarget", params{"url": url, "newWindow": true}, &target)
	session := struct{ SessionID string }{}
	b.must("", "Target.attachToTarget", params{"targetId": target.TargetID, "flatten": true}, &session)
	p := &page{b, session.SessionID}
	p.wait("document.readyState === 'complete' && location.href !== 'about:blank'")
	p.eval(helpers+"; true", new(bool))
	return p
}

// resize makes the screen of a page as large.
func (p *page) resize(width, height int) {
	p.b.t.Helper()
	p.b.must(p.session, "Emulation.setDeviceMetricsOverride",
		params{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}, &struct{}{})
}

func (b *browser) must(session, method string, p params, into any) {
	b.t.Helper()
	res, err := b.call(session, method, p)
	if err == nil {
		err = json.Unmarshal(res, into)
	}
	if err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
}

// eval evaluates an expression on the page.
func (p *page) eval(expr string, into any) {
	p.b.t.Helper()
	var res struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	p.b.must(p.session, "Runtime.evaluate", params{"expression": expr, "returnByValue": true, "awaitPromise": true}, &res)
	if res.ExceptionDetails != nil {
		p.b.t.Fatalf("%s: %s", expr, res.ExceptionDetails)
	}
	if err := json.Unmarshal(res.Result.Value, into); err != nil {
		p.b.t.Fatalf("%s: %v in %s", expr, err, res.Result.Value)
	}
}

// wait waits until an expression is true on the page.
func (p *page) wait(expr string) {
	p.b.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		var ok bool
		if p.eval("Boolean("+expr+")", &ok); ok {
			return
		}
		if time.Now().After(deadline) {
			var state json.RawMessage
			p.eval("({...feed, goroutines: null, text: document.body.innerText})", &state)
			p.b.t.Fatalf("never: %s; %s", expr, state)
		}
	}
}

// never fails the test if an expression is true on the page.
func (p *page) never(expr, what string) {
	p.b.t.Helper()
	var is bool
	if p.eval("Boolean("+expr+")", &is); is {
		p.b.t.Error(what)
	}
}

// A proxy stands between a browser and the server, and can stall, or be cut off.
type proxy struct {
	addr string
	ln   net.Listener
	to   string
	wg   sync.WaitGroup

	mu    sync.Mutex
	gate  *sync.Cond
	shut  bool
	away  bool
	over  bool
	conns []net.Conn
}

func startProxy(t *testing.T, to string) *proxy {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: ln.Addr().String(), ln: ln, to: to}
	p.gate = sync.NewCond(&p.mu)
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		ln.Close()
		p.mu.Lock()
		p.over = true
		p.gate.Broadcast()
		for _, c := range p.conns {
			c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		client, err := p.ln.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.to)
		if err != nil {
			client.Close()
			continue
		}
		_ = server.(*net.TCPConn).SetReadBuffer(4 << 10)
		p.mu.Lock()
		if p.away {
			client.Close()
			server.Close()
		} else {
			p.conns = append(p.conns, client, server)
		}
		p.mu.Unlock()
		p.wg.Go(func() { p.copy(server, client) })
		p.wg.Go(func() { p.copy(client, server) })
	}
}

// copy copies until one side has ended. It takes nothing while the proxy stalls.
func (p *proxy) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 1<<10)
	for {
		p.mu.Lock()
		for p.shut && !p.over {
			p.gate.Wait()
		}
		p.mu.Unlock()
		n, err := from.Read(buf)
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

func (p *proxy) stall() {
	p.mu.Lock()
	p.shut = true
	p.mu.Unlock()
}

func (p *proxy) resume() {
	p.mu.Lock()
	p.shut = false
	p.mu.Unlock()
	p.gate.Broadcast()
}

// cut ends all connections, and those that come while away is set.
func (p *proxy) cut(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}
