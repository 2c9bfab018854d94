package sse_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
)

// An event is what a page gets from its EventSource.
type event struct{ ID, Name, Data string }

// A parser reads an event stream as the HTML standard says, in "Interpreting an
// event stream", sentence by sentence. The zero value is ready.
type parser struct {
	last  string // the last event ID string of the event source
	retry string // its reconnection time

	id, name, data string // the buffers, empty as a connection begins: the id, too
}

// line processes a line. It reports whether an event is dispatched.
func (p *parser) line(line string) (ev event, dispatched bool) {
	if line == "" {
		return p.dispatch()
	}
	if strings.HasPrefix(line, ":") {
		return ev, false
	}
	field, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch field {
	case "event":
		p.name = value
	case "data":
		p.data += value + "\n"
	case "id":
		if !strings.Contains(value, "\x00") {
			p.id = value
		}
	case "retry":
		if value != "" && strings.Trim(value, "0123456789") == "" {
			p.retry = value
		}
	}
	return ev, false
}

func (p *parser) dispatch() (ev event, dispatched bool) {
	p.last = p.id
	if p.data == "" {
		p.name = ""
		return ev, false
	}
	ev = event{ID: p.last, Name: p.name, Data: strings.TrimSuffix(p.data, "\n")}
	if ev.Name == "" {
		ev.Name = "message"
	}
	p.data, p.name = "", ""
	return ev, true
}

// parse returns the events of a whole stream. What has no blank line behind it at the
// end is dropped.
func (p *parser) parse(stream string) (events []event) {
	stream = strings.TrimPrefix(string([]rune(stream)), "\ufeff") // decoded as UTF-8
	line := ""
	for i := 0; i < len(stream); i++ {
		switch c := stream[i]; c {
		case '\r', '\n':
			if c == '\r' && i+1 < len(stream) && stream[i+1] == '\n' {
				i++
			}
			if ev, ok := p.line(line); ok {
				events = append(events, ev)
			}
			line = ""
		default:
			line += stream[i : i+1]
		}
	}
	return events
}

// A viewer reads a stream as it comes.
type viewer struct {
	parser
	res *http.Response
	in  *bufio.Reader
}

func newViewer(res *http.Response) *viewer {
	return &viewer{
		parser: parser{last: res.Request.Header.Get("Last-Event-ID")},
		res:    res, in: bufio.NewReader(res.Body),
	}
}

// next waits for the next event. It returns io.EOF at the end.
func (v *viewer) next() (event, error) {
	for {
		line, err := v.in.ReadString('\n')
		if err != nil {
			return event{}, err
		}
		if ev, ok := v.line(strings.TrimSuffix(line, "\n")); ok {
			return ev, nil
		}
	}
}

// place reads up to the first blank line, and returns what the viewer would name if
// the connection broke then.
func (v *viewer) place(t *testing.T) string {
	t.Helper()
	for {
		line, err := v.in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if ev, ok := v.line(strings.TrimSuffix(line, "\n")); ok {
			t.Fatalf("the first event came before any id: %+v", ev)
		}
		if line == "\n" {
			return v.last
		}
	}
}

// rest returns the events up to the end.
func (v *viewer) rest(t *testing.T) (events []event) {
	t.Helper()
	for {
		ev, err := v.next()
		if err == io.EOF {
			return events
		}
		if err != nil {
			t.Errorf("the stream broke: %v", err)
			return events
		}
		events = append(events, ev)
	}
}

// leave breaks the connection.
func (v *viewer) leave() { v.res.Body.Close() }
