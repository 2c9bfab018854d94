package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"sync"
	"time"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/natscast"
	"github.com/tandemgo/tandem/pool/natspool"
)

// submit submits the tiles and assembles the picture.
func submit(ctx context.Context, c config, out io.Writer) error {
	s := &speaker{out: out}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	nc, js, err := c.connect(ctx, s, end)
	if err != nil {
		return err
	}
	defer nc.Close()
	var p *natspool.Pool[tile, drawing]
	if err := c.try(ctx, s, "JetStream", func(ctx context.Context) (err error) {
		p, err = natspool.New[tile, drawing](ctx, js, queue, 0, nil, natspool.WithAckWait(ackWait), natspool.WithMessageID(tile.id))
		return err
	}); err != nil {
		return err
	}
	defer func() {
		ended, cancel := context.WithCancel(ctx)
		cancel() // Shutdown must not wait
		_ = p.Shutdown(ended)
	}()
	var live *natscast.Broadcast[progress]
	if err := c.try(ctx, s, "the NATS server", func(context.Context) (err error) {
		live, err = natscast.New[progress](nc, subject)
		return err
	}); err != nil {
		return err
	}
	defer live.Close()
	news, err := live.Subscribe()
	if err != nil {
		return err
	}
	workers, err := c.startWorkers()
	if err != nil {
		return err
	}
	defer workers.stop()

	all := tiles(c.size, c.tile)
	var background sync.WaitGroup
	defer background.Wait()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		w := watcher{config: c, speaker: s, workers: workers, background: &background}
		w.watch(ctx, news, len(all))
	}()
	picture, by, err := c.assemble(ctx, p, all, s)
	if err == nil {
		// The progress reports are not reliable: the last ones may be late or lost.
		select {
		case <-watched:
		case <-time.After(time.Second):
		}
	}
	live.Close()
	<-watched
	if err != nil {
		return err
	}
	s.say("%d tiles are there, drawn by %d workers", len(all), by)
	if c.out == "" {
		return nil
	}
	return write(picture, c.out)
}

// assemble submits all tiles and assembles the picture. It returns the number of
// workers that have drawn it. It submits a tile again if its result was lost.
func (c config) assemble(ctx context.Context, p *natspool.Pool[tile, drawing], all []tile, s *speaker) (*image.Gray, int, error) {
	run := fmt.Sprintf("%d-%d", os.Getpid(), time.Now().UnixNano())
	futures := make([]*natspool.Future[drawing], len(all))
	for i := range all {
		var err error
		all[i].Run = run
		if futures[i], err = c.store(ctx, p, &all[i], s); err != nil {
			return nil, 0, fmt.Errorf("tile %d: %w", i, err)
		}
	}
	picture := image.NewGray(image.Rect(0, 0, c.size, c.size))
	workers := map[string]bool{}
	for i := range all {
		d, err := futures[i].Wait(ctx)
		for errors.Is(err, natspool.ErrResultLost) {
			s.say("the drawing of (%d, %d) is lost: submitting it again", all[i].X, all[i].Y)
			all[i].Try++
			if futures[i], err = c.store(ctx, p, &all[i], s); err == nil {
				d, err = futures[i].Wait(ctx)
			}
		}
		if err != nil {
			return nil, 0, fmt.Errorf("tile %d: %w", i, err)
		}
		all[i].paste(picture, d.Pix)
		workers[d.Worker] = true
	}
	return picture, len(workers), nil
}

// store submits a tile until it is stored. While the server does not answer, Submit
// itself sends the task again, since it has a message id.
func (c config) store(ctx context.Context, p *natspool.Pool[tile, drawing], t *tile, s *speaker) (f *natspool.Future[drawing], err error) {
	err = c.try(ctx, s, "a tile to be stored", func(context.Context) (err error) {
		f, err = p.Submit(ctx, *t)
		if errors.Is(err, natspool.ErrDuplicate) {
			t.Try++ // a failed call has stored the tile, and its result is not delivered
		}
		return err
	})
	return f, err
}

// A watcher prints the progress, and causes the failures that the flags ask for.
type watcher struct {
	config
	*speaker
	workers    *processes
	background *sync.WaitGroup
}

// watch prints the progress of n tiles, to the last. On the way it kills a worker and
// stops the server, if the flags ask for that.
func (w watcher) watch(ctx context.Context, news *broadcast.Subscription[progress], n int) {
	drawn := map[image.Point]bool{}
	for ev, err := range news.All(ctx) {
		if gap, ok := errors.AsType[*broadcast.GapError](err); ok {
			w.say("%v", gap)
			continue
		}
		if err != nil {
			return // ctx has ended
		}
		drawn[image.Pt(ev.Tile.X, ev.Tile.Y)] = true
		note := ""
		if ev.Again {
			note = ", begun before by one that did not finish it"
		}
		w.say("%4d of %d  %s has drawn (%d, %d)%s", len(drawn), n, ev.Worker, ev.Tile.X, ev.Tile.Y, note)
		if w.kill && len(drawn) >= n/4 {
			w.say("kill -9 %s", w.workers.killOne())
			w.kill = false
		}
		if w.outage > 0 && len(drawn) >= n/3 {
			w.stopServer(w.outage)
			w.outage = 0
		}
		if len(drawn) == n {
			return
		}
	}
}

// stopServer stops the server for d, in the background.
func (w watcher) stopServer(d time.Duration) {
	w.say("the NATS server is stopped, for %v", d)
	w.background.Go(func() {
		if err := w.own.outage(d); err != nil {
			w.say("the NATS server: %v", err)
		}
	})
}

func write(picture image.Image, name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := png.Encode(f, picture); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
