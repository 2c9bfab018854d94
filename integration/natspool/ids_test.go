package natspool_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/pool/natspool"
)

func byItself(id []byte) string { return string(id) }

// awkwardIDs returns different ids with every byte at every place, and ids that look
// like the encoding of others.
func awkwardIDs() (ids []string) {
	seen := map[string]bool{"": true}
	add := func(id string) {
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	for b := range 256 {
		c := string([]byte{byte(b)})
		for _, id := range []string{c, c + "a", "a" + c, "a" + c + "b", c + c} {
			add(id)
		}
		for _, format := range []string{"%%%02X", "%%=%%%02X", "%%=a%%%02X"} {
			add(fmt.Sprintf(format, b))
		}
	}
	for _, id := range []string{
		"%", "%%", "%=", "%=%", "%=%2", "%=%zz", "%=a", "%25", "%=%25", "100%", "A", "a", "ä", "a\u0308", "a\r\nb", "a\r\n b", "a\r\nNats-Msg-Id: b",
		"requeued-1-2", "%requeued-1-2", "1-2", "\u0085", "\u00a0a", "a\u2028", "a, b", "a,b", ":", "a: b", "=?utf-8?q?a?=", " \t", "\t ",
		strings.Repeat("x", 5000), strings.Repeat("x", 5000) + " ", strings.Repeat("\n", 5000), strings.Repeat("\n", 5001),
	} {
		add(id)
	}
	return ids
}

// Two different message ids are two tasks, whatever bytes they have, and the dead
// letters have the ids unchanged.
func TestMessageIDsThatLookAlike(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	p := newPool[[]byte, int](t, js, name, 0, nil, natspool.WithMessageID(byItself))
	ids := awkwardIDs()
	var wg sync.WaitGroup
	each := func(do func(id string)) {
		const submitters = 8
		for s := range submitters {
			wg.Go(func() {
				for i := s; i < len(ids); i += submitters {
					do(ids[i])
				}
			})
		}
		wg.Wait()
	}
	each(func(id string) {
		if err := p.Go(soon(t), []byte(id)); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	})
	if n := must(js.Stream(soon(t), "natspool-tasks-"+name)).CachedInfo().State.Msgs; int(n) != len(ids) {
		t.Errorf("%d of %d tasks are stored", n, len(ids))
	}
	each(func(id string) {
		if _, err := p.Submit(soon(t), []byte(id)); !errors.Is(err, natspool.ErrDuplicate) {
			t.Errorf("%q again: %v, want ErrDuplicate", id, err)
		}
	})
	newPool(t, js, name, 8, func(context.Context, []byte) (int, error) { return 0, natspool.Permanent(errors.New("no")) })
	until(t, "all are dead", func() bool {
		return int(must(js.Stream(soon(t), "natspool-dead-"+name)).CachedInfo().State.Msgs) == len(ids)
	})
	dead := map[string]bool{}
	for _, l := range letters(t, p) {
		if l.MessageID != string(l.Task) {
			t.Errorf("the letter of %q has message id %q", l.Task, l.MessageID)
		}
		dead[l.MessageID] = true
	}
	if len(dead) != len(ids) {
		t.Errorf("%d message ids in dead letters, want %d", len(dead), len(ids))
	}
}

// An id that fits a header is stored unchanged, so that other programs find it.
func TestPlainMessageIDsStayAsTheyAre(t *testing.T) {
	t.Parallel()
	js, name := connect(t, natsserver.Start(t).URL()), newName(t)
	p := newPool[[]byte, int](t, js, name, 0, nil, natspool.WithMessageID(byItself))
	s := must(js.Stream(soon(t), "natspool-tasks-"+name))
	for i, id := range []string{"order-17", "a b", "100%", "é", "a: b", `{"id": 1}`} {
		must0(p.Go(soon(t), []byte(id)))
		if got := must(s.GetMsg(soon(t), uint64(i)+1)).Header.Get("Nats-Msg-Id"); got != id {
			t.Errorf("%q is %q in the stream", id, got)
		}
	}
}

func TestNoMessageID(t *testing.T) {
	t.Parallel()
	js := connect(t, natsserver.Start(t).URL())
	p := newPool(t, js, newName(t), 1, func(_ context.Context, id []byte) (int, error) { return len(id), nil }, natspool.WithMessageID(byItself))
	for range 3 {
		if v, err := p.Do(soon(t), []byte{}); v != 0 || err != nil {
			t.Errorf("Do = %d, %v: an empty id is none", v, err)
		}
	}
}

// A message id is rejected if it is too long, alone or together with the task. An
// accepted one fits into the dead letter.
func TestLongMessageIDs(t *testing.T) {
	t.Parallel()
	js := connect(t, natsserver.Start(t).URL())
	ids := make(chan string, 1)
	p := newPool(t, js, newName(t), 1, func(context.Context, string) (int, error) {
		return 0, natspool.Permanent(errors.New(strings.Repeat("\x00", 5000)))
	}, natspool.WithMessageID(func(string) string { return <-ids }))
	most := int(js.Conn().MaxPayload()) - 32<<10 - 2 // JSON adds quotes
	want := 0
	for _, c := range []struct {
		id   string
		task int
		ok   bool
	}{
		{strings.Repeat("x", 30<<10), 1, true},
		{strings.Repeat("x", 30<<10+1), 1, false},
		{strings.Repeat("\n", 10<<10-1), 1, true},
		{strings.Repeat("\n", 10<<10), 1, false},
		{strings.Repeat("x", 1<<20), 1, false},
		{strings.Repeat("x", 256), most, true},
		{strings.Repeat("x", 257), most, false},
		{strings.Repeat("x", 20<<10), most - 20<<10, true},
		{strings.Repeat("y", 30<<10), most - 30<<10, true},
		{strings.Repeat("x", 30<<10), most, false},
	} {
		ids <- c.id
		err := p.Go(soon(t), strings.Repeat("t", c.task))
		if (err == nil) != c.ok {
			t.Errorf("an id of %d and a task of %d bytes: %v", len(c.id), c.task, err)
		}
		if err != nil && (!strings.HasPrefix(err.Error(), "natspool: the ") || len(err.Error()) > 200) {
			t.Errorf("an id of %d and a task of %d bytes: %.300v", len(c.id), c.task, err)
		}
		if !c.ok {
			continue
		}
		want++
		until(t, "the task is dead", func() bool { return p.Stats().Dead == uint64(want) })
		all := letters(t, p)
		if l := all[len(all)-1]; len(all) != want || l.MessageID != c.id || len(l.Task) != c.task {
			t.Errorf("an id of %d and a task of %d bytes: %d letters, the last with %d and %d", len(c.id), c.task, len(all), len(l.MessageID), len(l.Task))
		}
	}
}

// The id of a requeued task is unique, and its dead letter may be requeued again.
func TestRequeuedTaskHasAnIDOfItsOwn(t *testing.T) {
	t.Parallel()
	js := connect(t, natsserver.Start(t).URL())
	p := newPool(t, js, newName(t), 1, func(context.Context, string) (int, error) {
		return 0, natspool.Permanent(errors.New("no"))
	}, natspool.WithMessageID(func(id string) string { return id }))
	most := int(js.Conn().MaxPayload()) - 32<<10 - 2
	if _, err := p.Do(soon(t), strings.Repeat("x", most-30<<10)[:100]); err == nil {
		t.Fatal("no error")
	}
	l := letters(t, p)[0]
	for _, id := range []string{"requeued-", "%requeued-"} {
		must0(p.Go(soon(t), fmt.Sprintf("%s%d-%d", id, l.ID, l.Time.UnixNano())))
	}
	until(t, "three are dead", func() bool { return p.Stats().Dead == 3 })
	must0(p.Requeue(soon(t), l))
	until(t, "the requeued task has run", func() bool { return p.Stats().Dead == 4 })
}
