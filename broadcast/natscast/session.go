package natscast

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// errOver is the cause of the end of a session.
var errOver = errors.New("natscast: the connection was lost meanwhile")

// sessions knows when the connection was lost or is back: what a server was asked
// before that is not answered any more, and there is no use in waiting for it.
type sessions struct {
	nc      *nats.Conn
	changes chan nats.Status
	now     atomic.Pointer[session]
}

// A session lasts until the connection changes.
type session struct {
	ctx context.Context
	end context.CancelCauseFunc
}

func newSessions(nc *nats.Conn) *sessions {
	s := &sessions{nc: nc, changes: nc.StatusChanged(nats.RECONNECTING, nats.CONNECTED, nats.CLOSED)}
	s.renew()
	return s
}

func (s *sessions) renew() {
	ctx, end := context.WithCancelCause(context.Background())
	if old := s.now.Swap(&session{ctx, end}); old != nil {
		old.end(errOver)
	}
}

// watch is the goroutine that notices changes. It runs until close.
func (s *sessions) watch() {
	for range s.changes {
		s.renew()
	}
	s.now.Load().end(errOver)
}

func (s *sessions) close() { s.nc.RemoveStatusListener(s.changes) }

// within returns a context that ends with ctx, and with the session.
func (s *sessions) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.now.Load().ctx, func() { cancel(errOver) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}
