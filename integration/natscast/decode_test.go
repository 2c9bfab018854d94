package natscast_test

import (
	"errors"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/natscast"
	"github.com/tandemgo/tandem/integration/internal/natsserver"
)

var errBad = errors.New("bad")

// A fussy codec fails in every possible way.
type fussy struct{}

func (fussy) Encode(v string) ([]byte, error) {
	if v == "can't be encoded" {
		return nil, errBad
	}
	return []byte(v), nil
}

func (fussy) Decode(data []byte) (string, error) {
	switch s := string(data); s {
	case "error":
		return "", errBad
	case "panic":
		panic(errBad)
	case "exit":
		runtime.Goexit()
		return "", nil
	default:
		return s, nil
	}
}

// errorList is an error handler that records errors.
type errorList struct {
	mu   sync.Mutex
	errs []error
}

func (l *errorList) add(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

func (l *errorList) all() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.errs
}

// A value that cannot be decoded is a gap of one at its place, is counted, and goes to
// the error handler. A codec that panics or ends its goroutine has the same effect.
func TestUndecodable(t *testing.T) {
	opens := map[string]func(testing.TB, *nats.Conn, string, ...natscast.Option) *natscast.Broadcast[string]{
		"core": openCore[string], "stream": openStream[string],
	}
	srv := natsserver.Start(t)
	for kind, open := range opens {
		t.Run(kind, func(t *testing.T) {
			var errs errorList
			b := open(t, natsserver.Connect(t, srv.URL()), kind, natscast.WithCodec(fussy{}), natscast.WithErrorHandler(errs.add))
			f := follow(t, b)
			if err := b.Send(t.Context(), "can't be encoded"); !errors.Is(err, errBad) {
				t.Errorf("Send: %v", err)
			}
			for _, v := range []string{"a", "error", "b", "panic", "c", "exit", "d"} {
				if err := b.Send(t.Context(), v); err != nil {
					t.Fatal(err)
				}
			}
			f.expect(t, "a", "gap 1", "b", "gap 1", "c", "gap 1", "d")
			got := errs.all()
			if len(got) != 3 {
				t.Fatalf("the handler was told %v", got)
			}
			for i, want := range []error{errBad, errBad, natscast.ErrGoexit} {
				bad, ok := errors.AsType[*natscast.DecodeError](got[i])
				if !ok || !errors.Is(bad, want) || bad.Subject != kind || bad.Size < 4 {
					t.Errorf("error %d: %#v", i, got[i])
				}
			}
			if p, ok := errors.AsType[*natscast.PanicError](got[1]); !ok || p.Value != errBad {
				t.Errorf("of the panic it was told %v", got[1])
			}
			if st := b.Stats(); st.Undecodable != 3 || st.Missed != 3 || st.Received != 4 || st.Sent != 7 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// Messages that this package has not sent are values as well; faulty ones are counted.
func TestForeign(t *testing.T) {
	srv := natsserver.Start(t)
	nc := natsserver.Connect(t, srv.URL())
	for kind, open := range kinds {
		t.Run(kind, func(t *testing.T) {
			var errs errorList
			b := open(t, nc, kind, natscast.WithErrorHandler(errs.add))
			f := follow(t, b)
			publish := func(m *nats.Msg) {
				m.Subject = kind
				if err := nc.PublishMsg(m); err != nil {
					t.Fatal(err)
				}
			}
			publish(&nats.Msg{Data: []byte("1")})
			publish(&nats.Msg{Data: []byte("no number")})
			publish(&nats.Msg{Data: []byte("2"), Header: nats.Header{"Status": {"503"}, "Else": {"x"}}})
			if kind == "stream" {
				f.expect(t, "1", "gap 1", "2")
				return
			}
			publish(&nats.Msg{Data: []byte("3"), Header: nats.Header{"Tandem-Cast": {"v 7"}}})
			publish(&nats.Msg{Data: []byte("4")})
			f.expect(t, "1", "gap 1", "2", "gap 1", "4")
			if st := b.Stats(); st.Foreign != 4 || st.Undecodable != 2 || st.Received != 3 {
				t.Errorf("%+v", st)
			}
			if got := errs.all(); len(got) != 2 || !strings.Contains(got[1].Error(), `"v 7"`) {
				t.Errorf("the handler was told %v", got)
			}
		})
	}
}

// If a queue was full and there are values without a number, the number of missing
// values is unknown, and the gap reports that.
func TestForeignValuesAreDropped(t *testing.T) {
	srv := natsserver.Start(t)
	nc := natsserver.Connect(t, srv.URL())
	b := openCore[int](t, nc, "s", natscast.WithCapacity(2), natscast.WithQueue(4))
	block := subscribe(t, b, broadcast.WithOverflow(broadcast.Block))
	for i := range 500 {
		if err := nc.Publish("s", []byte(strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	f := followOn(t, b, block)
	eventually(t, "it is said", func() bool {
		if err := nc.Publish("s", []byte("500")); err != nil { // a message makes the receiver check
			t.Fatal(err)
		}
		_, unknown := f.missing()
		return unknown > 0
	})
}

// Duplicates are dropped and counted.
func TestTwice(t *testing.T) {
	srv := natsserver.Start(t)
	nc := natsserver.Connect(t, srv.URL())
	from := openCore[int](t, nc, "elsewhere")
	to := openCore[int](t, nc, "s")
	f := follow(t, to)
	_, err := nc.Subscribe("elsewhere", func(m *nats.Msg) {
		for range 2 {
			if err := nc.PublishMsg(&nats.Msg{Subject: "s", Header: m.Header, Data: m.Data}); err != nil && !nc.IsClosed() {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	send(t, from, 0, 5)
	f.expect(t, numbers(0, 5)...)
	eventually(t, "they are counted", func() bool { return to.Stats().Duplicates == 5 })
	if st := to.Stats(); st.Missed != 0 || st.Received != 5 {
		t.Errorf("%+v", st)
	}
}
