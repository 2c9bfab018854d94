package sse_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/sse"
	"github.com/tandemgo/tandem/internal/browser"
	"github.com/tandemgo/tandem/internal/testkit"
)

// A crowd of viewers, some of which take nothing and some of which vanish: everyone else
// gets every value, memory is bounded, and the others leave nothing. With TANDEM_CROWD set it has
// 1,000 viewers, otherwise 100.
func TestACrowd(t *testing.T) {
	var chromium *browser.Browser
	if _, err := exec.LookPath("chromium"); err == nil && !testing.Short() {
		chromium = browser.Start(t)
	}
	plain, multiplexed := transports[0], transports[3]
	direct := func(_ *testing.T, addr string) string { return addr }
	for name, way := range map[string]struct {
		server transport
		proxy  func(t *testing.T, addr string) string // returns the address of the viewers
		open   func(t *testing.T, addr string) func() (body io.Reader, vanish func())
		page   bool // one more viewer is a page in Chromium, if there is one
	}{
		"HTTP/1.1":               {plain, direct, overHTTP1, true},
		"HTTP/2":                 {multiplexed, direct, overHTTP2, false},
		"HTTP/1.1 through nginx": {plain, throughNginx(""), overHTTP1, true},
		"HTTP/2 through nginx":   {plain, throughNginx(" http2"), overHTTP2, false},
	} {
		t.Run(name, func(t *testing.T) {
			viewers, timeout := 100, 2*time.Second
			if os.Getenv("TANDEM_CROWD") != "" {
				viewers, timeout = 1000, 5*time.Second
			}
			odd := viewers / 50
			const values, round, size = 320, 32, 1000
			b := broadcast.New[int](broadcast.WithCapacity(2 * round))
			pad := bytes.Repeat([]byte("x"), size)
			mux := http.NewServeMux()
			mux.Handle("GET /events", &sse.Handler[int]{
				Source: sse.From(b), WriteTimeout: timeout,
				Encode: func(v int) (sse.Event, error) { return sse.Event{Data: fmt.Appendf(nil, "%d %s", v, pad)}, nil },
			})
			mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				_, _ = io.WriteString(w, `<!doctype html><script>
let next = 0, wrong = '';
const es = new EventSource('/events');
es.onmessage = e => { if (parseInt(e.data) !== next++) wrong += ' ' + e.lastEventId; };
for (const name of ['gap', 'reset']) es.addEventListener(name, e => wrong += ' ' + name + e.data);
es.addEventListener('end', () => es.close());
</script>`)
			})
			before := testkit.Heap()
			site := way.server.serve(t, mux, func(s *http.Server) {
				s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
					_ = c.(*net.TCPConn).SetWriteBuffer(16 << 10) // or a stalled viewer costs the kernel megabytes
					return ctx
				}
			})
			addr := way.proxy(t, site.server.Listener.Addr().String())
			open := way.open(t, addr)

			var readers sync.WaitGroup
			good := 0
			reached := make(chan struct{}, viewers) // by a good viewer at the end of each round
			for i := range viewers {
				body, vanish := open()
				switch {
				case i%(viewers/odd) == 3: // takes nothing
				case i%(viewers/odd) == 7:
					readers.Go(func() {
						lines := bufio.NewReaderSize(body, 4<<10)
						for range 50 + i%500 {
							_, _ = lines.ReadString('\n')
						}
						vanish()
					})
				default:
					good++
					readers.Go(func() {
						next := 0
						for lines := bufio.NewReaderSize(body, 4<<10); ; {
							line, err := lines.ReadString('\n')
							if strings.HasPrefix(line, "event: ") {
								if line != "event: end\n" || next != values {
									t.Errorf("viewer %d at %d: %s", i, next, line)
								}
								return
							}
							if err != nil {
								t.Errorf("viewer %d at %d: %v", i, next, err)
								return
							}
							if data, ok := strings.CutPrefix(line, "data: "); ok {
								if !strings.HasPrefix(data, fmt.Sprintf("%d x", next)) {
									t.Errorf("viewer %d: got %.20s, want %d", i, data, next)
								}
								if next++; next%round == 0 {
									reached <- struct{}{}
								}
							}
						}
					})
				}
			}
			var page *browser.Page
			subscriptions := viewers
			if chromium != nil && way.page {
				page = chromium.Open("http://" + addr + "/")
				good, subscriptions = good+1, subscriptions+1
				page.Wait("es.readyState === 1")
			}
			await(t, b, subscriptions)
			start := time.Now()
			for v := range values {
				must(0, b.TrySend(v))
				if (v+1)%round > 0 {
					continue
				}
				for range viewers - 2*odd {
					select {
					case <-reached:
					case <-time.After(time.Minute):
						t.Fatalf("value %d does not come to all", v)
					}
				}
				if page != nil {
					page.Wait(fmt.Sprintf("next === %d", v+1))
				}
			}
			took := time.Since(start)
			each := (testkit.Heap() - before) / int64(viewers)
			t.Logf("%d viewers: %d values of %d bytes in %v; %d kB of heap a viewer, with its client", viewers, values, size, took.Round(time.Millisecond), each>>10)
			if each > 200<<10 {
				t.Errorf("a viewer costs %d bytes", each)
			}
			await(t, b, good) // the others are gone
			if page != nil {
				page.Wait("wrong === ''")
			}
			must0(b.Close())
			testkit.Watchdog(t, readers.Wait)
		})
	}
}

func must0(err error) { must(0, err) }

// await waits until b has n subscriptions.
func await(t *testing.T, b *broadcast.Broadcast[int], n int) {
	t.Helper()
	for start := time.Now(); len(b.Stats().Subscriptions) != n; time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatalf("%d subscriptions, want %d", len(b.Stats().Subscriptions), n)
		}
	}
}

// overHTTP1 opens a connection for each viewer.
func overHTTP1(t *testing.T, addr string) func() (io.Reader, func()) {
	return func() (io.Reader, func()) {
		conn := must(net.Dial("tcp", addr)).(*net.TCPConn)
		t.Cleanup(func() { conn.Close() })
		_ = conn.SetReadBuffer(16 << 10)
		must(io.WriteString(conn, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"))
		return bodyOf{bufio.NewReaderSize(conn, 512)}.lazy(), func() {
			_ = conn.SetLinger(0)
			conn.Close()
		}
	}
}

// A bodyOf reads the body of a response, whose header comes with the first read.
type bodyOf struct{ r *bufio.Reader }

func (b bodyOf) lazy() io.Reader {
	var body io.Reader
	return readFunc(func(p []byte) (int, error) {
		if body == nil {
			res, err := http.ReadResponse(b.r, nil)
			if err != nil {
				return 0, err
			}
			body = res.Body
		}
		return body.Read(p)
	})
}

type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// overHTTP2 opens a connection for each 100 viewers.
func overHTTP2(t *testing.T, addr string) func() (io.Reader, func()) {
	var tr *http.Transport
	n := 0
	return func() (io.Reader, func()) {
		if n++; n%100 == 1 {
			tr = &http.Transport{Protocols: transports[3].protocols(), HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10}}
			t.Cleanup(tr.CloseIdleConnections)
		}
		ctx, cancel := context.WithCancel(t.Context())
		res := must(tr.RoundTrip(must(http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/events", nil))))
		t.Cleanup(func() { cancel(); res.Body.Close() })
		return res.Body, cancel
	}
}

// throughNginx puts nginx in front of the server, with the settings that a site has that does not
// know of event streams.
func throughNginx(listen string) func(t *testing.T, addr string) string {
	return func(t *testing.T, addr string) string {
		path, err := exec.LookPath("nginx")
		if err != nil {
			t.Skip("no nginx on this machine: apt-get install nginx-light")
		}
		l := must(net.Listen("tcp", "127.0.0.1:0")) // a free port
		front := l.Addr().String()
		l.Close()
		dir := t.TempDir()
		config := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log; worker_rlimit_nofile 8192;
events { worker_connections 4096; }
http {
  access_log off; client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  http2_max_concurrent_streams 128; send_timeout 5s;
  server { listen %[2]s%[3]s sndbuf=16k; location / { proxy_pass http://%[4]s; proxy_http_version 1.1; proxy_set_header Connection ""; } }
}`, dir, front, listen, addr)
		file := filepath.Join(dir, "nginx.conf")
		must0(os.WriteFile(file, []byte(config), 0o600))
		cmd := exec.Command(path, "-p", dir, "-c", file, "-e", filepath.Join(dir, "error.log"))
		must0(cmd.Start())
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
		for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			conn, err := net.Dial("tcp", front)
			if err == nil {
				conn.Close()
				return front
			}
			if time.Since(start) > 10*time.Second {
				text, _ := os.ReadFile(filepath.Join(dir, "error.log"))
				t.Fatalf("nginx does not answer: %s", text)
			}
		}
	}
}
