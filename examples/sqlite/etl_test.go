package main

import (
	"context"
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/tandemgo/tandem/pipeline"
)

// From CSV to a database: lines are parsed while others are stored, many in one
// transaction, since each of these is a write to the disk. A line that is no item
// is put aside; an error of the file or of the database ends it all.
func Example_csvToDatabase() {
	ctx := context.Background()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // each connection would have a memory of its own
	_, err = db.ExecContext(ctx, "CREATE TABLE stock (name TEXT PRIMARY KEY, n INTEGER NOT NULL)")

	type item struct {
		name string
		n    int
	}
	parse := pipeline.Map(func(_ context.Context, line []string) (item, error) {
		n, err := strconv.Atoi(line[1])
		return item{line[0], n}, err
	}, pipeline.DeadLetter(func(line []string, err error) error {
		fmt.Println("put aside:", line, err)
		return nil
	}))
	store := pipeline.Map(func(ctx context.Context, batch []item) (n int, err error) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return 0, err
		}
		defer func() { _ = tx.Rollback() }() // does nothing after Commit
		for _, it := range batch {
			if _, err := tx.ExecContext(ctx, "INSERT INTO stock VALUES (?, ?)", it.name, it.n); err != nil {
				return 0, err
			}
		}
		return len(batch), tx.Commit()
	}, pipeline.Name("store"))
	load := pipeline.Then(pipeline.Then(parse, pipeline.Batch[item](500, time.Second)), store)

	file := csv.NewReader(strings.NewReader("tea,12\nsalt,some\nsugar,3\n"))
	lines := func(yield func([]string, error) bool) {
		for {
			line, err := file.Read()
			if errors.Is(err, io.EOF) || !yield(line, err) {
				return
			}
		}
	}
	stored := 0
	for n, e := range load.RunSeq2(ctx, lines) {
		stored, err = stored+n, errors.Join(err, e)
	}
	fmt.Println("stored", stored, err)
	// Output:
	// put aside: [salt some] strconv.Atoi: parsing "some": invalid syntax
	// stored 2 <nil>
}
