package sse

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An Event is one server-sent event. Line breaks in ID and Name are written as
// spaces; Data may have several lines.
type Event struct {
	ID   string // what the browser names when it comes back; that of a value is set by the Handler
	Name string // "" is what a browser calls message
	Data []byte // what the browser gets
}

// A stream is the response. What is to be written is collected in buf, and
// written together by flush.
type stream struct {
	w       http.ResponseWriter
	ctl     *http.ResponseController
	timeout time.Duration
	buf     bytes.Buffer
}

func newStream(w http.ResponseWriter, timeout time.Duration) *stream {
	return &stream{w: w, ctl: http.NewResponseController(w), timeout: timeout}
}

// begin sets the header. retry, if not 0, goes to the browser.
func (s *stream) begin(protoMajor int, retry time.Duration) {
	header := s.w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx would hold it back
	if protoMajor == 1 {
		// The deadline of the last write is the connection's, which is thus of no
		// use for another request.
		header.Set("Connection", "close")
	}
	if retry > 0 {
		s.buf.WriteString("retry: " + strconv.FormatInt(retry.Milliseconds(), 10) + "\n\n")
	}
}

var oneLine = strings.NewReplacer("\n", " ", "\r", " ", "\x00", " ")

func (s *stream) event(ev Event) {
	s.field("id", ev.ID)
	s.field("event", ev.Name)
	data := ev.Data
	for {
		line, rest, more := cutLine(data)
		s.buf.WriteString("data: ")
		s.buf.Write(line)
		s.buf.WriteByte('\n')
		if !more {
			break
		}
		data = rest
	}
	s.buf.WriteByte('\n')
}

func (s *stream) field(name, value string) {
	if value != "" {
		s.buf.WriteString(name + ": " + oneLine.Replace(value) + "\n")
	}
}

// cutLine cuts data behind its first line. A line ends as in HTML: by \n, \r\n
// or \r.
func cutLine(data []byte) (line, rest []byte, more bool) {
	i := bytes.IndexAny(data, "\r\n")
	if i < 0 {
		return data, nil, false
	}
	rest = data[i+1:]
	if data[i] == '\r' {
		rest = bytes.TrimPrefix(rest, []byte("\n"))
	}
	return data[:i], rest, true
}

func (s *stream) comment() { s.buf.WriteString(":\n\n") }

// flush writes what was collected, and returns an error if that could not be
// done in time. Where a writer knows no deadlines, there is none.
func (s *stream) flush() error {
	_ = s.ctl.SetWriteDeadline(time.Now().Add(s.timeout))
	_, err := s.w.Write(s.buf.Bytes())
	s.buf.Reset()
	if err != nil {
		return err
	}
	return s.ctl.Flush()
}
