package main

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"time"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/natscast"
	"github.com/tandemgo/tandem/pool/natspool"
)

// submit has the picture drawn.
func submit(ctx context.Context, c config, out io.Writer) error {
	nc, js, err := connect(c)
	if err != nil {
		return err
	}
	defer nc.Close()
	p, err := natspool.New[tile, drawing](ctx, js, queue, 0, nil, natspool.WithAckWait(ackWait))
	if err != nil {
		return err
	}
	defer p.Close()
	live, err := natscast.New[progress](nc, subject)
	if err != nil {
		return err
	}
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
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watch(ctx, news, len(all), c.kill, workers, out)
	}()
	picture, by, err := assemble(ctx, p, all, c.size)
	if err == nil {
		// News is no more than that: the last may be on the way, or lost.
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
	fmt.Fprintf(out, "%d tiles are there, drawn by %d workers\n", len(all), by)
	if c.out == "" {
		return nil
	}
	return write(picture, c.out)
}

// assemble submits all tiles and puts the picture together. It returns how many
// workers have drawn it.
func assemble(ctx context.Context, p *natspool.Pool[tile, drawing], all []tile, size int) (*image.Gray, int, error) {
	futures := make([]*natspool.Future[drawing], len(all))
	for i, t := range all {
		var err error
		if futures[i], err = p.Submit(ctx, t); err != nil {
			return nil, 0, fmt.Errorf("tile %d: %w", i, err)
		}
	}
	picture := image.NewGray(image.Rect(0, 0, size, size))
	workers := map[string]bool{}
	for i, f := range futures {
		d, err := f.Wait(ctx)
		if err != nil {
			return nil, 0, fmt.Errorf("tile %d: %w", i, err)
		}
		all[i].paste(picture, d.Pix)
		workers[d.Worker] = true
	}
	return picture, len(workers), nil
}

// watch shows the news of n tiles, to their end, and kills a worker in the middle,
// if that is asked for.
func watch(ctx context.Context, news *broadcast.Subscription[progress], n int, kill bool, workers *processes, out io.Writer) {
	drawn := map[tile]bool{}
	for missed, ev := range news.All(ctx) {
		if missed > 0 {
			fmt.Fprintf(out, "%d news missed\n", missed)
		}
		drawn[ev.Tile] = true
		note := ""
		if ev.Again {
			note = ", begun before by one that did not finish it"
		}
		fmt.Fprintf(out, "%4d of %d  %s has drawn (%d, %d)%s\n", len(drawn), n, ev.Worker, ev.Tile.X, ev.Tile.Y, note)
		if kill && len(drawn) >= n/4 {
			fmt.Fprintf(out, "kill -9 %s\n", workers.killOne())
			kill = false
		}
		if len(drawn) == n {
			return
		}
	}
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
