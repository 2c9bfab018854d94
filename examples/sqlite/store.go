package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/tandemgo/tandem/pool"
)

const (
	schema = `
		CREATE TABLE words (word TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
		CREATE INDEX ranks ON words (n DESC, word)`
	addWords = `
		INSERT INTO words SELECT value, count(*) FROM json_each(?) GROUP BY value
		ON CONFLICT DO UPDATE SET n = n + excluded.n`
	byRank = `SELECT word, n FROM words ORDER BY n DESC, word LIMIT 1 OFFSET ?`
)

// dsn returns the data source name of the database at path. With a write-ahead log
// readers do not wait. Writers wait for each other, for at most a minute.
func dsn(path string) string {
	return "file:" + url.PathEscape(path) + "?_busy_timeout=60000&_journal_mode=WAL"
}

// create makes the table of an empty database. Its connection turns the log on while it
// is the only one.
func create(ctx context.Context, db *sql.DB) error {
	db.SetMaxIdleConns(0) // a worker keeps its connection itself
	_, err := db.ExecContext(ctx, schema)
	return err
}

// A session is the state of a worker: a connection and the prepared statement of its
// tasks.
type session struct {
	conn *sql.Conn
	stmt *sql.Stmt
}

// opener returns the function that opens a worker's session.
func opener(db *sql.DB, query string) func(context.Context) (*session, error) {
	return func(ctx context.Context) (*session, error) {
		conn, err := db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		stmt, err := conn.PrepareContext(ctx, query)
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return &session{conn, stmt}, nil
	}
}

func (s *session) close() error { return errors.Join(s.stmt.Close(), s.conn.Close()) }

// count adds the words of all texts to the table and returns their number.
func count(ctx context.Context, db *sql.DB, workers int, texts []text) (total int, err error) {
	p := pool.NewStateful(workers, opener(db, addWords), add, (*session).close)
	defer func() { err = errors.Join(err, p.Close()) }()
	g := p.Group(ctx, pool.CollectAll())
	for _, t := range texts {
		g.Go(t)
	}
	counts, err := g.Wait(ctx)
	for _, n := range counts {
		total += n
	}
	return total, err
}

// add is a task: it adds the words of a text. It uses one statement, so either all of
// them count or none, and the connection is usable for the next task even after a
// failure.
func add(ctx context.Context, s *session, t text) (n int, err error) {
	words, err := t.words()
	if err == nil {
		var list []byte
		if list, err = json.Marshal(words); err == nil {
			_, err = s.stmt.ExecContext(ctx, string(list))
		}
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", t.name, err)
	}
	return len(words), nil
}

// A row is a word and its count.
type row struct {
	word string
	n    int
}

// top returns the n most frequent words. It queries each rank in a task of its own,
// several at once.
func top(ctx context.Context, db *sql.DB, workers, n int) (rows []row, err error) {
	p := pool.NewStateful(workers, opener(db, byRank), rank, (*session).close)
	defer func() { err = errors.Join(err, p.Close()) }()
	ranks := func(yield func(int) bool) {
		for i := 0; i < n && yield(i); i++ {
		}
	}
	for r, err := range p.Map(ctx, ranks) {
		if errors.Is(err, sql.ErrNoRows) {
			break // there are fewer words; the remaining tasks are cancelled
		}
		if err != nil {
			return rows, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// rank is a task: it returns the word of rank i, counted from zero.
func rank(ctx context.Context, s *session, i int) (row, error) {
	var r row
	err := s.stmt.QueryRowContext(ctx, i).Scan(&r.word, &r.n)
	return r, err
}
