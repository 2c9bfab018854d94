package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"

	"github.com/tandemgo/tandem/pipeline"
)

// Load a stream of 500,000 rows into a database, with a service that fails now and
// then. The first run reads all rows. Ctrl-C ends the second one early: it finishes the
// rows that it has read, and its figures agree with the tables.
func Example_etl() {
	const total = 500_000
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // each connection would have a memory of its own
	var calls atomic.Int64
	price := func(_ context.Context, r stockRow) (stockRow, error) {
		switch {
		case r.id%1000 == 7:
			return r, pipeline.Permanent(errors.New("no such item"))
		case calls.Add(1)%10_000 == 0: // the service is busy
			return r, errors.New("try again")
		}
		r.price = r.id % 100
		return r, nil
	}
	rows := func(interrupt func()) pipeline.Source[stockRow] {
		return pipeline.Seq(func(yield func(stockRow) bool) {
			for id := range total {
				if id == total/2 {
					interrupt()
				}
				if !yield(stockRow{id: id}) {
					return
				}
			}
		})
	}
	for _, interrupt := range []func(stop context.Context){
		func(context.Context) {},
		func(stop context.Context) { // Ctrl-C
			self, _ := os.FindProcess(os.Getpid())
			if self.Signal(os.Interrupt) == nil {
				<-stop.Done()
			}
		},
	} {
		_, _ = db.Exec("DROP TABLE IF EXISTS stock; DROP TABLE IF EXISTS dead; CREATE TABLE stock (id INTEGER PRIMARY KEY, price INTEGER); CREATE TABLE dead (id INTEGER PRIMARY KEY, error TEXT, attempts INTEGER)")
		stop, restore := signal.NotifyContext(context.Background(), os.Interrupt)
		stats, err := etl(stop, db, rows(func() { interrupt(stop) }), price)
		restore()
		var stored, dead uint64
		_ = db.QueryRow("SELECT (SELECT count(*) FROM stock), (SELECT count(*) FROM dead)").Scan(&stored, &dead)
		fmt.Println(stats.Stage("enrich").In, "read,", stats.Stage("stored").Out, "stored,", stats.Stage("enrich").Skipped, "dead letters", err)
		fmt.Println("the tables agree:", stored == stats.Stage("stored").Out && dead == stats.Stage("enrich").Skipped)
	}
	// Output:
	// 500000 read, 499500 stored, 500 dead letters <nil>
	// the tables agree: true
	// 250001 read, 249751 stored, 250 dead letters <nil>
	// the tables agree: true
}
