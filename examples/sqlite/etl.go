package main

import (
	"context"
	"database/sql"
	"time"

	"github.com/tandemgo/tandem/pipeline"
)

// A stockRow is enriched by a service and stored.
type stockRow struct{ id, price int }

// etl requests the price of each row from a service, with retries, and stores the rows
// in batches, since each transaction is a write to the disk. A row without a price goes
// to the table of dead letters. When stop ends, etl reads no more rows, stores all that
// it has read, and returns. The figures count every row, also after an error.
func etl(stop context.Context, db *sql.DB, rows pipeline.Source[stockRow], price func(context.Context, stockRow) (stockRow, error)) (pipeline.Stats, error) {
	enrich := pipeline.MapOr(price, func(ctx context.Context, f pipeline.Failure[stockRow]) (stockRow, error) {
		if _, err := db.ExecContext(ctx, "INSERT INTO dead VALUES (?, ?, ?)", f.Item.id, f.Err.Error(), f.Attempts); err != nil {
			return stockRow{}, err
		}
		return stockRow{}, pipeline.ErrSkip
	}, pipeline.WithName("enrich"), pipeline.WithWorkers(8), pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 3, Delay: time.Millisecond}))
	store := pipeline.Map(func(ctx context.Context, batch []stockRow) ([]stockRow, error) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return nil, err
		}
		defer func() { _ = tx.Rollback() }() // does nothing after Commit
		insert, err := tx.PrepareContext(ctx, "INSERT INTO stock VALUES (?, ?)")
		if err != nil {
			return nil, err
		}
		for _, r := range batch {
			if _, err := insert.ExecContext(ctx, r.id, r.price); err != nil {
				return nil, err
			}
		}
		return batch, tx.Commit()
	}, pipeline.WithName("store"))
	var seen pipeline.Observer
	batches := pipeline.Then(enrich, pipeline.Batch[stockRow](5000, time.Second))
	load := pipeline.Then(pipeline.Then(batches, store), pipeline.Unbatch[stockRow](pipeline.WithName("stored"))).Observe(&seen)
	err := load.ForEach(context.Background(), pipeline.Until(stop, rows), func(context.Context, stockRow) error { return nil })
	return seen.Stats(), err
}
