package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/ratelimit"
)

// A message is sent to all members of a room.
type message struct{ From, Text string }

// A frame is the text that a member gets: a message with its number in the room, or in the place
// of missing messages how many there were, with the number of the last of them.
type frame struct {
	Number  uint64 `json:"number"`
	From    string `json:"from,omitempty"`
	Text    string `json:"text,omitempty"`
	Missed  uint64 `json:"missed,omitempty"`
	AtLeast bool   `json:"atLeast,omitempty"` // and it is not known how many more
}

// A hub connects members to rooms.
type hub struct {
	rooms        *broadcast.Topics[string, message]
	writeTimeout time.Duration // for a member to take a frame
	ping         time.Duration // between pings, which find members that have vanished
	members      sync.WaitGroup
}

// newHub returns a hub of which the members may be behind by as many messages as backlog.
func newHub(backlog int) *hub {
	return &hub{
		rooms:        broadcast.NewTopics[string, message](broadcast.WithCapacity(backlog)),
		writeTimeout: 10 * time.Second,
		ping:         30 * time.Second,
	}
}

// ServeHTTP connects a member to the room of the path until either end closes the connection. The
// query has the name, and after, the number of the last message that has arrived, if any has.
func (h *hub) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h.members.Add(1)
	defer h.members.Done()
	room, name := req.PathValue("room"), req.FormValue("name")
	opts := []broadcast.SubscribeOption{broadcast.WithName(name)}
	if after := req.FormValue("after"); after != "" {
		n, err := strconv.ParseUint(after, 10, 64)
		if err != nil {
			http.Error(w, "after must be the number of a message", http.StatusBadRequest)
			return
		}
		opts = append(opts, broadcast.WithStart(n+1))
	}
	sub, err := h.rooms.Subscribe(room, opts...)
	if err != nil {
		http.Error(w, "the server is about to end", http.StatusServiceUnavailable)
		return
	}
	defer func() { _ = sub.Close() }()
	conn, err := websocket.Accept(w, req, nil)
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = conn.CloseNow() }()
	ctx, cancel := context.WithCancel(req.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for _, loop := range []func(){
		func() { h.receive(ctx, conn, room, name) },
		func() { h.probe(ctx, conn) },
	} {
		wg.Go(func() { defer cancel(); loop() })
	}
	if h.send(ctx, conn, sub) == nil {
		_ = conn.Close(websocket.StatusGoingAway, "the server is about to end")
	}
}

// send writes the messages of the room. It returns nil when the hub has been closed and the member
// has all messages.
func (h *hub) send(ctx context.Context, conn *websocket.Conn, sub *broadcast.Subscription[message]) error {
	for m, err := range sub.All(ctx) {
		f := frame{Number: sub.Position() - 1, From: m.From, Text: m.Text}
		if gap, missed := errors.AsType[*broadcast.GapError](err); missed {
			f.Missed, f.AtLeast = gap.Missed, gap.AtLeast
		} else if err != nil {
			return err
		}
		text, err := json.Marshal(f)
		if err != nil {
			return err
		}
		if err := h.write(ctx, conn, text); err != nil {
			return err
		}
	}
	return nil
}

// write writes a frame. A member that does not take it in time loses the connection.
func (h *hub) write(ctx context.Context, conn *websocket.Conn, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, h.writeTimeout)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, text)
}

// receive sends the texts of a member to the room. A member that writes faster than 10 texts a second
// is read no faster.
func (h *hub) receive(ctx context.Context, conn *websocket.Conn, room, name string) {
	limiter := ratelimit.New(ratelimit.Per(10, time.Second), 20)
	for {
		_, text, err := conn.Read(ctx) // of up to 32 KiB
		if err != nil || limiter.Wait(ctx) != nil {
			return
		}
		if h.rooms.Send(ctx, room, message{From: name, Text: string(text)}) != nil {
			<-ctx.Done() // the hub is closed, and send has more to do
			return
		}
	}
}

// probe pings the member until there is no answer in time.
func (h *hub) probe(ctx context.Context, conn *websocket.Conn) {
	tick := time.NewTicker(h.ping)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(ctx, h.writeTimeout)
		err := conn.Ping(ctx)
		cancel()
		if err != nil {
			return
		}
	}
}

// close ends all rooms, and waits until the members have got their last messages, or ctx ends.
func (h *hub) close(ctx context.Context) error {
	_ = h.rooms.Close() // it returns nil
	gone := make(chan struct{})
	go func() { h.members.Wait(); close(gone) }()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
