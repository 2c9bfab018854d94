// Treehash prints the SHA-256 of every regular file below a directory, in the format of
// sha256sum.
//
//	go run ./examples/treehash [-workers N] [DIR]
//
// Without an argument it hashes the current directory. Files are hashed in parallel,
// one on each processor unless -workers is set, and printed in the order of the tree.
// Symbolic links are not followed.
//
// A file or directory that cannot be read is reported on standard error, and the rest
// is hashed all the same. The exit status is 0 if all files were hashed, 1 if one could
// not be read or the run was stopped, and 2 if it could not start.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
)

const (
	exitGood   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program. It returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fl := flag.NewFlagSet("treehash", flag.ContinueOnError)
	fl.SetOutput(stderr)
	fl.Usage = func() {
		fmt.Fprint(stderr, "usage: treehash [-workers N] [DIR]\n")
		fl.PrintDefaults()
	}
	workers := fl.Int("workers", runtime.GOMAXPROCS(0), "how many files are hashed at once")
	err := fl.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitGood
	case err != nil:
		return exitUsage // the flag package has printed the error
	case *workers < 1:
		err = fmt.Errorf("-workers must be at least 1, got %d", *workers)
	case fl.NArg() > 1:
		err = fmt.Errorf("one directory at most, got %d: %s", fl.NArg(), strings.Join(fl.Args(), " "))
	}
	dir := "."
	if fl.NArg() > 0 {
		dir = fl.Arg(0)
	}
	var root *os.Root
	if err == nil {
		// No file outside of a root can be opened through it, even if the tree changes
		// meanwhile.
		root, err = os.OpenRoot(dir)
	}
	if err != nil {
		fmt.Fprintf(stderr, "treehash: %v\n", err)
		return exitUsage
	}
	defer root.Close()
	t := tree{fsys: root.FS(), dir: dir, workers: *workers}
	if !t.print(ctx, stdout, stderr) {
		return exitFailed
	}
	return exitGood
}
