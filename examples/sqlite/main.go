// Sqlite counts the words of text files in a SQLite database, several files at once,
// and prints the ten most frequent ones.
//
//	go run ./examples/sqlite [FILE ...]
//
// Without an argument it counts a built-in text, line by line. A file that cannot be
// counted is reported, and the others are counted all the same. The exit status is then
// 1.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	_ "embed"

	_ "modernc.org/sqlite" // the driver, in pure Go
)

//go:embed text.txt
var ownText []byte

const workers = 4

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "sqlite: %v\n", err)
		os.Exit(1)
	}
}

// run is the program. It prints the counts even if there is an error.
func run(ctx context.Context, files []string, stdout io.Writer) error {
	dir, err := os.MkdirTemp("", "words")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := sql.Open("sqlite", dsn(filepath.Join(dir, "words.db")))
	if err != nil {
		return err
	}
	defer db.Close()
	if err := create(ctx, db); err != nil {
		return err
	}
	total, counting := count(ctx, db, workers, texts(files))
	rows, err := top(ctx, db, workers, 10)
	fmt.Fprintf(stdout, "%6d words\n", total)
	for _, r := range rows {
		fmt.Fprintf(stdout, "%6d %s\n", r.n, r.word)
	}
	return errors.Join(counting, err)
}
