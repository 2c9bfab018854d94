package sse

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tandemgo/tandem/internal/outcome"
)

// An Event is one server-sent event. Line breaks and NUL in ID and Name are written
// as spaces. Data may have several lines; a browser gets each line break as \n. It
// also replaces bytes that are not UTF-8.
type Event struct {
	ID   string // named by the browser when it comes back; that of a value is set by the Handler
	Name string // the type of the event; for "", a browser takes message
	Data []byte // the text that the browser gets
}

// A stream is the response. Events are collected in buf, and written together by
// flush.
type stream struct {
	w       http.ResponseWriter
	ctl     *http.ResponseController
	req     *http.Request
	timeout time.Duration
	late    func() // called if a write takes longer than timeout
	buf     bytes.Buffer
}

// begin sets the header and collects the lines before all events: retry, if not 0,
// and the id of the place at which the stream begins. If the response can't be
// streamed, begin answers so and reports false.
func (s *stream) begin(retry time.Duration, id string) bool {
	header := s.w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx would hold it back
	if s.req.ProtoMajor == 1 {
		// The deadline of the last write is the connection's, which is thus of no
		// use for another request.
		header.Set("Connection", "close")
	}
	if err := s.canFlush(); err != nil {
		if s.req.Context().Err() == nil { // or the viewer has left, and no middleware is to blame
			text := fmt.Sprintf("sse: the response can't be streamed: %v: a middleware that wraps http.ResponseWriter needs Unwrap, or Flush (the outermost is a %T)", err, s.w)
			s.logf("%s", text)
			http.Error(s.w, text, http.StatusInternalServerError)
		}
		return false
	}
	// Some compressors and proxies hold back the header until there is something. The
	// id is in the first block, since a browser that comes to the end of one without
	// an id forgets the one it had.
	s.buf.WriteString(":\n")
	if retry > 0 {
		ms := retry.Milliseconds()
		if retry%time.Millisecond > 0 {
			ms++
		}
		writeField(&s.buf, "retry", strconv.FormatInt(ms, 10))
	}
	s.id(id)
	return true
}

// canFlush returns an error if it is known that nothing can be flushed. It looks
// for Flush where [http.ResponseController] does, and behind it: many a middleware
// has a Flush that needs that of the writer that it wraps. It may have sent the
// header, if it returns nil.
func (s *stream) canFlush() error {
	w, wraps := s.w, false
	for {
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w, wraps = u.Unwrap(), true
	}
	switch f := w.(type) {
	case interface{ FlushError() error }:
		if wraps {
			return nil // to flush w would send the header before those that wrap it have seen it
		}
		return s.timed(f.FlushError)
	case http.Flusher:
		return nil
	}
	return http.ErrNotSupported
}

var (
	oneLine    = strings.NewReplacer("\n", " ", "\r", " ", "\x00", " ")
	lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n") // those of HTML
)

func (s *stream) event(ev Event) { writeEvent(&s.buf, ev) }

func writeEvent(buf *bytes.Buffer, ev Event) {
	writeField(buf, "id", ev.ID)
	writeField(buf, "event", ev.Name)
	for line := range strings.SplitSeq(lineBreaks.Replace(string(ev.Data)), "\n") {
		buf.WriteString("data: " + line + "\n")
	}
	buf.WriteByte('\n')
}

func writeField(buf *bytes.Buffer, name, value string) {
	if value != "" {
		buf.WriteString(name + ": " + oneLine.Replace(value) + "\n")
	}
}

// id sets the id that the browser names when it comes back, without an event.
func (s *stream) id(id string) {
	writeField(&s.buf, "id", id)
	s.buf.WriteByte('\n')
}

// flush is send, after which nothing is written for a while. A deadline must not
// pass then: over HTTP/2, that resets the stream, whether it is written to or not.
func (s *stream) flush() error {
	err := s.send()
	if err == nil {
		_ = s.ctl.SetWriteDeadline(time.Time{})
	}
	return err
}

// send writes the collected events, and returns an error if that could not be done
// in time.
func (s *stream) send() error {
	err := s.timed(func() error {
		_, err := s.w.Write(s.buf.Bytes())
		s.buf.Reset()
		if err != nil {
			return err
		}
		return s.ctl.Flush()
	})
	if errors.Is(err, http.ErrNotSupported) {
		s.logf("sse: the response can't be streamed: %v: a middleware has a Flush that fails", err)
	}
	return err
}

// timed calls write, which is to return in time. If the deadline does not see to
// that (a middleware hides it, net/http waits for the rest of the request, or over
// HTTP/2 all of the connection is stuck), late is called at least.
func (s *stream) timed(write func() error) error {
	s.arm()
	late := time.AfterFunc(s.timeout, s.late)
	err := write()
	if !late.Stop() && err == nil {
		err = os.ErrDeadlineExceeded
	}
	return err
}

// arm sets the deadline of the next write, where a writer knows deadlines.
func (s *stream) arm() { _ = s.ctl.SetWriteDeadline(time.Now().Add(s.timeout)) }

// reason is the text that a viewer gets for an error of Encode. Of a panic, which may
// contain secrets, only the log of the server has more.
func (s *stream) reason(err error) string {
	if p, ok := err.(*outcome.PanicError); ok {
		s.logf("sse: Encode panicked: %v\n%s", p.Value, p.Stack)
		return "Encode panicked"
	}
	return fmt.Sprint(err) // survives a panic in Error
}

// logf writes to the log of the server.
func (s *stream) logf(format string, args ...any) {
	if server, ok := s.req.Context().Value(http.ServerContextKey).(*http.Server); ok && server.ErrorLog != nil {
		server.ErrorLog.Printf(format, args...)
		return
	}
	log.Printf(format, args...)
}
