package main

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tandemgo/tandem/pool"
	"go.uber.org/goleak"
	"modernc.org/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A gauge opens connections and counts them: in total, open now, and the most open at
// once.
type gauge struct {
	driver.Connector
	opened, now, most atomic.Int64
}

func (g *gauge) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := g.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	g.opened.Add(1)
	n := g.now.Add(1)
	for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
	}
	return &gauged{c.(sqliteConn), g}, nil
}

// A sqliteConn has all methods of a connection of this driver. database/sql would work
// without any that is not forwarded.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type gauged struct {
	sqliteConn
	gauge *gauge
}

func (c *gauged) Close() error {
	c.gauge.now.Add(-1)
	return c.sqliteConn.Close()
}

// testDB returns an empty database that counts its connections from then on.
func testDB(t *testing.T) (*sql.DB, *gauge) {
	t.Helper()
	base, err := sqlite.NewConnector(dsn(filepath.Join(t.TempDir(), "a b?%.db")))
	if err != nil {
		t.Fatal(err)
	}
	g := &gauge{Connector: base}
	db := sql.OpenDB(g)
	t.Cleanup(func() {
		if err := db.Close(); err != nil || g.now.Load() != 0 {
			t.Errorf("%d connections are still open, %v", g.now.Load(), err)
		}
	})
	if err := create(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if n := g.now.Load(); n != 0 {
		t.Fatalf("%d connections are open after create, want none", n)
	}
	g.opened.Store(0)
	g.most.Store(0)
	return db, g
}

// closed fails the test unless every connection has been closed and there were
// never more than workers of them.
func (g *gauge) closed(t *testing.T, db *sql.DB, workers int) {
	t.Helper()
	opened, now, most, inUse := g.opened.Load(), g.now.Load(), g.most.Load(), db.Stats().InUse
	if now != 0 || inUse != 0 || most > int64(workers) {
		t.Errorf("%d connections opened, %d still open, %d in use, at most %d at once; want 0, 0, at most %d",
			opened, now, inUse, most, workers)
	}
}

// body returns a text with the given words.
func body(name, words string) text {
	return text{name, func() ([]byte, error) { return []byte(words), nil }}
}

// table returns all counts.
func table(t *testing.T, db *sql.DB) map[string]int {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT word, n FROM words")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]int{}
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.word, &r.n); err != nil {
			t.Fatal(err)
		}
		all[r.word] = r.n
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// With any number of workers, every word counts exactly once, each worker has at most
// one connection, and all connections are closed at the end.
func TestCountsEveryWordOnce(t *testing.T) {
	for _, workers := range []int{1, 3, 8} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			db, g := testDB(t)
			var texts []text
			want, total := map[string]int{}, 0
			for i := range 200 {
				own := "w" + strings.Repeat("x", i)
				texts = append(texts, body(own, strings.Repeat("both Both, "+own+"\n", i%5)))
				if i%5 > 0 {
					want[own] += i % 5
					want["both"] += 2 * (i % 5)
				}
				total += 3 * (i % 5)
			}
			n, err := count(t.Context(), db, workers, texts)
			if n != total || err != nil {
				t.Errorf("counted %d words, %v; want %d", n, err, total)
			}
			g.closed(t, db, workers)
			if diff := cmp.Diff(want, table(t, db)); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
			g.most.Store(0)
			rows, err := top(t.Context(), db, workers, 3)
			best := []row{{"both", 800}, {"w" + strings.Repeat("x", 4), 4}, {"w" + strings.Repeat("x", 9), 4}}
			if diff := cmp.Diff(best, rows, cmp.AllowUnexported(row{})); diff != "" || err != nil {
				t.Errorf("top: %v (-want +got):\n%s", err, diff)
			}
			g.closed(t, db, workers)
		})
	}
}

// A statement that fails in a task fails only that task: the next one uses the same
// connection, and no part of the failed one is counted.
func TestConnectionOutlivesAFailedTask(t *testing.T) {
	db, g := testDB(t)
	const trap = `CREATE TRIGGER trap BEFORE INSERT ON words WHEN new.word = 'poison'
		BEGIN SELECT RAISE(ABORT, 'no poison'); END`
	if _, err := db.ExecContext(t.Context(), trap); err != nil {
		t.Fatal(err)
	}
	g.opened.Store(0)
	gone := text{"gone", func() ([]byte, error) { return nil, errors.New("not there") }}
	n, err := count(t.Context(), db, 1, []text{
		body("first", "good"), body("bad", "before poison zero"), gone, body("empty", ""), body("last", "good"),
	})
	if n != 2 || err == nil || !strings.Contains(err.Error(), "no poison") ||
		!strings.HasPrefix(err.Error(), "task 1: bad: ") || !strings.HasSuffix(err.Error(), "\ntask 2: gone: not there") {
		t.Errorf("counted %d words, want 2; error %v", n, err)
	}
	if g.opened.Load() != 1 {
		t.Errorf("%d connections opened, want 1", g.opened.Load())
	}
	g.closed(t, db, 1)
	if diff := cmp.Diff(map[string]int{"good": 2}, table(t, db)); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// A query that is cancelled while it runs is interrupted, and its connection
// serves the next task.
func TestConnectionOutlivesACancelledQuery(t *testing.T) {
	db, g := testDB(t)
	const upTo = `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT ?) SELECT count(*) FROM c`
	started := make(chan struct{}, 2)
	p := pool.NewStateful(1, opener(db, upTo), func(ctx context.Context, s *session, limit int) (n int, err error) {
		started <- struct{}{}
		err = s.stmt.QueryRowContext(ctx, limit).Scan(&n)
		return n, err
	}, (*session).close)
	stopped := errors.New("enough")
	f, err := p.Submit(t.Context(), -1) // without end
	if err != nil {
		t.Fatal(err)
	}
	<-started
	f.Cancel(stopped)
	if _, err := f.Wait(t.Context()); !errors.Is(err, context.Canceled) && !errors.Is(err, stopped) {
		t.Errorf("the cancelled query returned %v", err)
	}
	if n, err := p.Do(t.Context(), 10); n != 10 || err != nil {
		t.Errorf("the next query returned %d, %v; want 10", n, err)
	}
	if err := p.Close(); err != nil || g.opened.Load() != 1 {
		t.Errorf("%d connections opened, %v; want 1", g.opened.Load(), err)
	}
	g.closed(t, db, 1)
}

// If a state cannot be opened, the tasks fail with the reason, nothing hangs, and a
// half-open session is closed.
func TestOpenFails(t *testing.T) {
	db, g := testDB(t)
	p := pool.NewStateful(2, opener(db, "SELECT nonsense"), rank, (*session).close)
	grp := p.Group(t.Context(), pool.CollectAll())
	for i := range 10 {
		grp.Go(i)
	}
	_, err := grp.Wait(t.Context())
	if err == nil || strings.Count(err.Error(), "no such column: nonsense") != 10 {
		t.Errorf("error of ten tasks: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	g.closed(t, db, 2)

	nowhere, err := sql.Open("sqlite", dsn(filepath.Join(t.TempDir(), "missing", "words.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer nowhere.Close()
	if _, err := count(t.Context(), nowhere, 2, []text{body("a", "a")}); err == nil {
		t.Error("a database that cannot be opened is no error")
	}
}

// The end of the context ends a count that waits for a lock, long before the
// lock's time limit, and closes the connections.
func TestCountStopsAtOnce(t *testing.T) {
	db, g := testDB(t)
	holder, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	if _, err := holder.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	g.most.Store(0)
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	reached := func() ([]byte, error) {
		// Later, so that the statement most likely waits; it must stop in any case.
		time.AfterFunc(20*time.Millisecond, func() { cancel(stopped) })
		return []byte("word"), nil
	}
	start := time.Now()
	n, err := count(ctx, db, 2, []text{{"a", reached}, {"b", reached}, {"c", reached}})
	if n != 0 || !errors.Is(err, stopped) || time.Since(start) > 30*time.Second {
		t.Errorf("counted %d words, %v, after %v", n, err, time.Since(start))
	}
	if n := g.now.Load(); n != 1 {
		t.Errorf("%d connections are open, want the holder's alone", n)
	}
}

func TestRun(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), nil, &out); err != nil || !strings.HasPrefix(out.String(), "   107 words\n    12 a\n     8 the\n") {
		t.Errorf("its own text: %v\n%s", err, &out)
	}
	dir := t.TempDir()
	good, missing := filepath.Join(dir, "good"), filepath.Join(dir, "missing")
	if err := os.WriteFile(good, []byte("to be, or not to be"), 0o644); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	err := run(t.Context(), []string{good, missing, good}, &out)
	const want = "    12 words\n     4 be\n     4 to\n     2 not\n     2 or\n"
	if diff := cmp.Diff(want, out.String()); diff != "" || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
