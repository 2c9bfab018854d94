// Package browser drives a Chromium, for tests of pages.
package browser

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"
)

// A Browser is a Chromium that is driven through a pipe, by the DevTools
// protocol: JSON that ends with a zero byte.
type Browser struct {
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

// Start starts a Chromium, which ends with the test. It skips the test if there is none, or in
// short mode.
func Start(t *testing.T) *Browser {
	t.Helper()
	if testing.Short() {
		t.Skip("no browser in short mode")
	}
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
	dir, err := os.MkdirTemp("", "browser")
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
		"--ignore-certificate-errors", "--remote-debugging-pipe", "--user-data-dir="+dir)
	cmd.ExtraFiles = []*os.File{theirsIn, theirsOut} // 3 and 4
	if err := cmd.Start(); err != nil {
		t.Skipf("Chromium does not start: %v", err)
	}
	theirsIn.Close()
	theirsOut.Close()
	b := &Browser{t: t, write: ours, waiting: map[int]chan reply{}}
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

// listen hands replies to the calls that wait for them, until the browser has ended.
func (b *Browser) listen(r io.Reader) {
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

func (b *Browser) call(session, method string, p params) (json.RawMessage, error) {
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

// A Page is a tab.
type Page struct {
	b       *Browser
	session string
}

// Open opens a page in a window of its own.
func (b *Browser) Open(url string) *Page {
	b.t.Helper()
	target := struct{ TargetID string }{}
	b.must("", "Target.createTarget", params{"url": url, "newWindow": true}, &target)
	session := struct{ SessionID string }{}
	b.must("", "Target.attachToTarget", params{"targetId": target.TargetID, "flatten": true}, &session)
	p := &Page{b, session.SessionID}
	p.Wait("document.readyState === 'complete' && location.href !== 'about:blank'")
	return p
}

// Resize makes the screen of a page as large.
func (p *Page) Resize(width, height int) {
	p.b.t.Helper()
	p.b.must(p.session, "Emulation.setDeviceMetricsOverride",
		params{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}, &struct{}{})
}

func (b *Browser) must(session, method string, p params, into any) {
	b.t.Helper()
	res, err := b.call(session, method, p)
	if err == nil {
		err = json.Unmarshal(res, into)
	}
	if err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
}

// Eval evaluates an expression on the page.
func (p *Page) Eval(expr string, into any) {
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

// Wait waits until an expression is true on the page.
func (p *Page) Wait(expr string) {
	p.b.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		var ok bool
		if p.Eval("Boolean("+expr+")", &ok); ok {
			return
		}
		if time.Now().After(deadline) {
			var state string
			p.Eval("document.body.innerText", &state)
			p.b.t.Fatalf("never: %s; %s", expr, state)
		}
	}
}

// Never fails the test if an expression is true on the page.
func (p *Page) Never(expr, what string) {
	p.b.t.Helper()
	var is bool
	if p.Eval("Boolean("+expr+")", &is); is {
		p.b.t.Error(what)
	}
}

// Dark makes a page prefer dark colours.
func (p *Page) Dark() {
	p.b.t.Helper()
	p.b.must(p.session, "Emulation.setEmulatedMedia", params{"features": []params{{"name": "prefers-color-scheme", "value": "dark"}}}, &struct{}{})
}

// Screenshot writes a picture of the whole page, as a PNG of its 256 commonest colours.
func (p *Page) Screenshot(file string) {
	p.b.t.Helper()
	p.b.must(p.session, "Emulation.setScrollbarsHidden", params{"hidden": true}, &struct{}{})
	var shot struct{ Data []byte }
	p.b.must(p.session, "Page.captureScreenshot", params{"format": "png", "captureBeyondViewport": true}, &shot)
	full, err := png.Decode(bytes.NewReader(shot.Data))
	if err != nil {
		p.b.t.Fatal(err)
	}
	var small bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestCompression}
	if err := enc.Encode(&small, paletted(full)); err != nil {
		p.b.t.Fatal(err)
	}
	if err := os.WriteFile(file, small.Bytes(), 0o644); err != nil {
		p.b.t.Fatal(err)
	}
}

func paletted(img image.Image) *image.Paletted {
	count := map[color.Color]int{}
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			count[img.At(x, y)]++
		}
	}
	colors := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return cmp.Compare(count[b], count[a]) })
	out := image.NewPaletted(img.Bounds(), colors[:min(256, len(colors))])
	draw.Draw(out, out.Rect, img, img.Bounds().Min, draw.Src)
	return out
}
