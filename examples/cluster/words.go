package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pipeline/natspipe"
)

// The streams of -words, and the name of the pipeline between them.
const (
	files, counts, counting = "cluster-files", "cluster-counts", "cluster-counting"
	// The counts of one letter are in one of these partitions.
	partitions = 8
)

// A text is a file.
type text struct{ Name, Text string }

// A count is how often the words with one initial letter are in a file.
type count struct {
	Initial string
	Words   map[string]int
}

// split counts the words of a text. It emits in order: if a process dies in the middle, the
// next one makes the same counts, and those that are stored already are not stored again.
func split(_ context.Context, t text, emit func(count) error) error {
	all := map[string]map[string]int{}
	for w := range strings.FieldsFuncSeq(strings.ToLower(t.Text), func(r rune) bool { return r < 'a' || r > 'z' }) {
		if all[w[:1]] == nil {
			all[w[:1]] = map[string]int{}
		}
		all[w[:1]][w]++
	}
	for _, initial := range slices.Sorted(maps.Keys(all)) {
		if err := emit(count{initial, all[initial]}); err != nil {
			return err
		}
	}
	return nil
}

func initial(c count) string { return c.Initial }

// countWords is the work of a worker: it counts the words of files until ctx ends, and
// then finishes the files that it has begun.
func (c config) countWords(ctx context.Context, s *speaker, end context.CancelCauseFunc) error {
	nc, js, err := c.connect(ctx, s, end)
	if err != nil {
		return err
	}
	defer nc.Close()
	var in *natspipe.Source[text]
	if err := c.try(ctx, s, "the files", func(ctx context.Context) (err error) {
		in, err = natspipe.NewSource[text](ctx, js, files, counting, natspipe.WithWindow(16), natspipe.WithAckWait(ackWait))
		return err
	}); err != nil {
		return err
	}
	defer in.Close()
	out, err := natspipe.NewSink[count](ctx, js, counts, natspipe.WithKey(partitions, initial))
	if err != nil {
		return err
	}
	run, cancel := context.WithCancel(context.Background())
	defer cancel()
	context.AfterFunc(ctx, func() { time.AfterFunc(10*time.Second, cancel) })
	work := pipeline.Then(natspipe.FlatMap(split), out.Stage())
	return work.ForEach(run, pipeline.Until(ctx, in.All), func(context.Context, count) error { return nil })
}

// submitWords stores the files in a stream, waits until workers have counted their words,
// and adds up what they have stored.
func (c config) submitWords(ctx context.Context, s *speaker) error {
	all, err := c.texts()
	if err != nil {
		return err
	}
	totals := map[string]int{}
	if c.nats == "" { // no workers: the same without servers
		for v, err := range pipeline.FlatMap(split).Run(ctx, pipeline.Values(all...)) {
			if err != nil {
				return err
			}
			add(totals, v)
		}
	} else if err := c.addUp(ctx, s, all, totals); err != nil {
		return err
	}
	sum := 0
	for _, n := range totals {
		sum += n
	}
	s.say("%d files have %d words, %d different ones", len(all), sum, len(totals))
	ranking := slices.SortedFunc(maps.Keys(totals), func(v, w string) int {
		return cmp.Or(cmp.Compare(totals[w], totals[v]), cmp.Compare(v, w))
	})
	var list strings.Builder
	for i, w := range ranking {
		if fmt.Fprintf(&list, "%7d %s\n", totals[w], w); i == 9 {
			s.say("%s", strings.TrimSuffix(list.String(), "\n"))
		}
	}
	if c.out == "" {
		return nil
	}
	return os.WriteFile(c.out, []byte(list.String()), 0o666)
}

func add(totals map[string]int, c count) {
	for w, n := range c.Words {
		totals[w] += n
	}
}

// texts returns the first files of text below a folder.
func (c config) texts() (all []text, err error) {
	if c.dir == "" {
		dir, err := exec.Command("go", "env", "GOMODCACHE").Output()
		if err != nil {
			return nil, fmt.Errorf("-dir is needed, since there is no module cache: %w", err)
		}
		c.dir = strings.TrimSpace(string(dir))
	}
	err = filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{".md", ".txt"}, filepath.Ext(path)) {
			return err
		}
		data, err := os.ReadFile(path)
		if len(data) < 256<<10 { // more may be more than the server takes in a message
			all = append(all, text{path, string(data)})
		}
		if len(all) == c.files {
			return fs.SkipAll
		}
		return err
	})
	return all, err
}

// addUp lets workers count the words.
func (c config) addUp(ctx context.Context, s *speaker, all []text, totals map[string]int) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	nc, js, err := c.connect(ctx, s, end)
	if err != nil {
		return err
	}
	defer nc.Close()
	for _, name := range []string{files, counts} {
		if err := js.DeleteStream(ctx, name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return err
		}
		if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{name, name + ".*"}}); err != nil {
			return err
		}
	}
	workers, err := c.startWorkers()
	if err != nil {
		return err
	}
	defer workers.stop()
	store, err := natspipe.NewSink[text](ctx, js, files)
	if err != nil {
		return err
	}
	wrap := pipeline.Map(func(_ context.Context, t text) (natspipe.Msg[text], error) { return natspipe.NewMsg(t.Name, t), nil })
	if _, err := pipeline.Then(wrap, store.Stage()).Collect(ctx, pipeline.Values(all...)); err != nil {
		return err
	}
	for said, left := 0, uint64(len(all)); left > 0; {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := c.try(ctx, s, "the workers", func(ctx context.Context) error {
			w, err := js.Consumer(ctx, files, counting)
			if err == nil {
				left = w.CachedInfo().NumPending + uint64(w.CachedInfo().NumAckPending)
			}
			return err
		}); err != nil {
			return err
		}
		done := len(all) - int(left)
		if done >= said+len(all)/10 {
			said = done
			s.say("%4d of %d files are counted", done, len(all))
		}
		if c.kill && done >= len(all)/4 {
			c.kill = false
			s.say("kill -9 %s", workers.killOne())
		}
	}
	return read(ctx, js, totals)
}

// read adds up the counts of a stream.
func read(ctx context.Context, js jetstream.JetStream, totals map[string]int) error {
	stream, err := js.Stream(ctx, counts)
	if err != nil {
		return err
	}
	c, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return err
	}
	it, err := c.Messages()
	if err != nil {
		return err
	}
	defer it.Stop()
	for range stream.CachedInfo().State.Msgs {
		m, err := it.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		var v count
		if err := json.Unmarshal(m.Data(), &v); err != nil {
			return err
		}
		add(totals, v)
	}
	return nil
}
