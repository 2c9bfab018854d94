package main

import (
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/browser"
)

// Real browsers: two pages see the same values; one is stalled, loses its
// connection, and is told its gap when it comes back; both survive a restart of
// the server.
func TestBrowser(t *testing.T) {
	b := browser.Start(t)
	c := config{every: 2 * time.Millisecond, retain: 50, writeTimeout: 300 * time.Millisecond, retry: 100 * time.Millisecond}
	addr, stop := start(t, "127.0.0.1:0", c)
	proxy := startProxy(t, addr)
	good := open(b, "http://"+addr+"/")
	weak := open(b, "http://"+proxy.addr+"/")

	for _, p := range []*browser.Page{good, weak} {
		p.Wait("feed.received > 100")
		p.Wait("document.querySelectorAll('#charts canvas').length === 4")
		p.Wait("document.getElementById('viewers').rows.length === 2")
		p.Wait("Number(document.getElementById('received').textContent) > 100")
	}
	var seen, seenToo map[string]float64
	good.Eval("feed.goroutines", &seen)
	weak.Eval("feed.goroutines", &seenToo)
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
	weak.Eval("feed.missed", &missed)
	weak.Eval("feed.last", &last)
	proxy.stall()
	// The other one goes on, far beyond what the stalled one could hold.
	good.Wait("feed.last > " + strconv.Itoa(last+3000))
	good.Wait("document.getElementById('viewers').rows.length === 1") // it was let go
	proxy.resume()
	weak.Wait("feed.missed > " + strconv.Itoa(missed+c.retain))
	weak.Wait("Number(document.getElementById('missed').textContent) > 0")
	for _, p := range []*browser.Page{good, weak} {
		var balance int
		if p.Eval("feed.received + feed.missed - (feed.last - feed.first + 1)", &balance); balance != 0 {
			t.Errorf("received + missed is %d more than what was sent", balance)
		}
	}

	stop()
	start(t, addr, c)
	for _, p := range []*browser.Page{good, weak} {
		p.Wait("feed.resets === 1 && feed.received > 20")
	}
}

// The button makes a slow viewer, which misses samples and is told how many. The page itself
// misses none, and the page of package debug says who is slow.
func TestBrowserSlowViewer(t *testing.T) {
	b := browser.Start(t)
	addr, _ := start(t, "127.0.0.1:0", config{every: 20 * time.Millisecond, retain: 50})
	p := open(b, "http://"+addr+"/")
	seen := b.Open("http://" + addr + "/debug/tandem")
	p.Wait("feed.received > 20 && (document.getElementById('slow').click(), true)")
	seen.Wait("[...document.querySelectorAll('#findings li.bad b')].some(x => x.textContent === 'broadcast feed: subscription slow viewer has stalled')")
	p.Wait("document.querySelector('#slow-gaps li')?.textContent.includes('samples missed')")
	p.Wait("slow.missed > 50 && document.getElementById('slow-figures').textContent === `received ${slow.received}, missed ${slow.missed}`")
	p.Never("feed.missed > 0", "the slow viewer costs others samples")
	p.Resize(390, 844)
	p.Never("document.documentElement.scrollWidth > innerWidth", "the page is wider than the screen")
	p.Wait("(document.getElementById('slow').click(), true) && document.getElementById('slow-figures').textContent === ''")
	p.Wait("[...document.getElementById('viewers').rows].every(r => r.cells[0].textContent !== 'slow viewer')")
}

// What is missing is seen: where a page has lost samples, it shows how many, and where
// none came, the lines of the charts have gaps. That the server has restarted is said
// until its samples come, and stays in the charts.
func TestBrowserShowsGaps(t *testing.T) {
	b := browser.Start(t)
	c := config{every: 50 * time.Millisecond, retain: 10, retry: 100 * time.Millisecond}
	addr, stop := start(t, "127.0.0.1:0", c)
	proxy := startProxy(t, addr)
	good := open(b, "http://"+addr+"/")
	weak := open(b, "http://"+proxy.addr+"/")
	for _, p := range []*browser.Page{good, weak} {
		p.Wait("feed.received > 20 && statusIs('live')")
		p.Never("gaps.some(h => h.lost || h.restart)", "a gap, and nothing is missing")
		p.Never("gaps.length === 0 && !document.getElementById('gaps').hidden", "a list of no gaps")
	}

	proxy.cut(true)
	weak.Wait("statusIs('no connection, trying again …')")
	var last int
	weak.Eval("feed.last", &last)
	good.Wait("feed.last > " + strconv.Itoa(last+4*c.retain))
	proxy.cut(false)
	weak.Wait("feed.missed > 0 && seesGap(feed.missed + ' lost') && statusIs('live')")
	weak.Wait("document.getElementById('missed').textContent === String(feed.missed)")
	weak.Wait("document.querySelector('#gaps li').textContent.includes(feed.missed + ' lost')")
	weak.Wait("gaps.some(h => h.lost === feed.missed) && linesHaveGaps()")
	good.Never("gaps.some(h => h.lost || h.restart)", "a gap of another page")

	stop()
	for _, p := range []*browser.Page{good, weak} {
		p.Wait("!statusIs('live')")
	}
	start(t, addr, c)
	for _, p := range []*browser.Page{good, weak} {
		p.Wait("feed.resets === 1 && seesGap('restart') && statusIs('live')")
	}
	for _, p := range []*browser.Page{good, weak} {
		p.Wait("gaps.some(h => h.restart) && linesHaveGaps()")
		p.Never("document.body.innerText.includes('has restarted')", "the restart is said still")
	}

	// Nothing comes for longer than usual, though nothing is lost.
	addr, _ = start(t, "127.0.0.1:0", config{every: time.Hour, retain: 1})
	quiet := open(b, "http://"+addr+"/")
	quiet.Eval("[10, 10.5, 11, 20, 20.5].forEach(at => add(at, [1, 2, 3, 4])); draw(); true", new(bool))
	quiet.Wait("seesGap('no samples') && gaps.length === 1 && gaps[0].from === 11 && gaps[0].to === 20 && linesHaveGaps()")
}

// The page fits the screen, of a phone and of a desk, and its charts with it, also when
// that changes.
func TestBrowserFits(t *testing.T) {
	b := browser.Start(t)
	addr, _ := start(t, "127.0.0.1:0", config{every: 20 * time.Millisecond, retain: 100})
	p := open(b, "http://"+addr+"/")
	p.Wait("feed.received > 20 && document.getElementById('viewers').rows.length === 1")
	for _, width := range []int{390, 1280, 320, 390, 768} {
		p.Resize(width, 844)
		p.Wait("innerWidth === " + strconv.Itoa(width) + " && chartsFit()")
		p.Never("document.documentElement.scrollWidth > innerWidth", "the page is wider than the screen")
	}
}

// helpers are functions that tests ask pages with.
const helpers = `
const statusIs = text => document.getElementById('status').textContent === text;

// seesGap tells whether each chart has a mark that is seen and says text.
const seesGap = text => charts.every(c => [...c.plot.over.querySelectorAll('.marks b')].some(b => {
  const mark = b.getBoundingClientRect(), chart = c.plot.over.getBoundingClientRect();
  return b.checkVisibility() && b.textContent.includes(text) && mark.width > 0 && mark.height > 0 &&
    mark.left >= chart.left - 1 && mark.right <= chart.right + 1 && mark.top >= chart.top - 1 && mark.bottom <= chart.bottom + 1;
}));

// linesHaveGaps tells whether each line is interrupted at each gap, and nowhere else.
const linesHaveGaps = () => charts.every(c => {
  const [times, values] = c.data, here = gaps.filter(h => h.from >= times[0]);
  return values.slice(1).filter(v => v === null).length >= here.length && here.every(h =>
    values[times.indexOf(h.from) + 1] === null && times.indexOf(h.to) === times.indexOf(h.from) + 2) &&
    values.every((v, i) => i === 0 || v !== null || gaps.some(h => h.from <= times[i] && times[i] <= h.to));
});

// chartsFit tells whether each chart is as wide as its card, and inside of the page.
const chartsFit = () => charts.every(c => {
  const card = c.plot.root.parentElement, canvas = c.plot.root.querySelector('canvas').getBoundingClientRect();
  return Math.abs(canvas.width - card.clientWidth) <= 1 && canvas.left >= 0 && canvas.right <= innerWidth &&
    card.clientWidth > (innerWidth > 900 ? innerWidth / 3 : innerWidth * .8 - 40);
});
`

// open opens a page that has the helpers.
func open(b *browser.Browser, url string) *browser.Page {
	p := b.Open(url)
	p.Eval(helpers+"; true", new(bool))
	return p
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
