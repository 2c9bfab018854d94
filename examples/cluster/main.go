// Cluster draws a picture on several processes at once: one process submits the tiles,
// and workers draw them, under one limit for all workers.
//
//	go run github.com/tandemgo/tandem/examples/cluster [flags]
//
// Without flags the submitter runs its own NATS and Redis servers inside its process,
// and starts two workers, which are further processes of this program. With -kill one
// of them is killed in the middle of its work; the picture is complete all the same,
// since no accepted task is lost. With -outage 2s the submitter also stops its NATS
// server in the middle and starts it again.
//
// A process waits for a NATS server that is away, prints that, and ends after
// -wait. Workers end with the submitter that has started them, even if it is
// killed. Workers started by hand end when they have been idle for -idle.
//
// With -nats and -redis it uses existing servers, and workers can run on any machine
// that reaches them:
//
//	cluster -nats nats://10.0.0.1:4222 -redis 10.0.0.1:6379 -role worker
//	cluster -nats nats://10.0.0.1:4222 -redis 10.0.0.1:6379 -start 0
//
// The tiles go through pool/natspool, the limit is ratelimit/redislimit, and
// broadcast/natscast reports the progress of the workers live. The work itself is an
// ordinary pool.Func, see worker.go.
//
// With -words it counts the words of some hundred text files instead, by pipeline/natspipe:
// a stream has the files, three workers count, another stream has their counts, and the
// submitter adds them up, see words.go. With -kill the result is the same; with -start 0 one
// process counts, without servers, and the result is the same again.
//
//	go run github.com/tandemgo/tandem/examples/cluster -words -kill
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// A config is the command line.
type config struct {
	role  string
	name  string
	nats  string
	redis string
	start int
	kill  bool
	rate  int
	size  int
	tile  int
	out   string
	words bool
	dir   string
	files int

	maxWait time.Duration
	idleFor time.Duration
	outage  time.Duration
	own     *natsServer // nil if the server is another process
}

func parseFlags(args []string, stderr io.Writer) (config, error) {
	var c config
	fl := flag.NewFlagSet("cluster", flag.ContinueOnError)
	fl.SetOutput(stderr)
	fl.StringVar(&c.role, "role", "submitter", "what this process is: submitter or worker")
	fl.StringVar(&c.name, "name", fmt.Sprintf("worker %d", os.Getpid()), "what a worker calls itself")
	fl.StringVar(&c.nats, "nats", "", "URL of a NATS server with JetStream; by default one inside this process")
	fl.StringVar(&c.redis, "redis", "", "address of a Redis server; by default one inside this process")
	fl.IntVar(&c.start, "start", 2, "how many worker processes a submitter starts")
	fl.BoolVar(&c.kill, "kill", false, "kill one of these workers in the middle of its work")
	fl.IntVar(&c.rate, "rate", 50, "how many tiles a second all workers together may draw")
	fl.IntVar(&c.size, "size", 512, "width and height of the picture, in pixels")
	fl.IntVar(&c.tile, "tile", 64, "width and height of a tile, in pixels")
	fl.DurationVar(&c.outage, "outage", 0, "stop the NATS server inside this process for so long, in the middle of the work")
	fl.DurationVar(&c.maxWait, "wait", 30*time.Second, "how long to wait for a NATS server that is away")
	fl.DurationVar(&c.idleFor, "idle", 5*time.Minute, "how long a worker waits for something to do")
	fl.StringVar(&c.out, "o", "", "file to write the picture to, as PNG, or the counts; by default none")
	fl.BoolVar(&c.words, "words", false, "count the words of text files, by 3 workers unless -start is given")
	fl.StringVar(&c.dir, "dir", "", "the folder of these files; by default the module cache of Go")
	fl.IntVar(&c.files, "files", 300, "how many files at most")
	if err := fl.Parse(args); err != nil {
		return c, err
	}
	if c.words {
		given := false
		fl.Visit(func(f *flag.Flag) { given = given || f.Name == "start" })
		if !given {
			c.start = 3
		}
	}
	switch {
	case fl.NArg() > 0:
		return c, fmt.Errorf("there are only flags, got %q", fl.Arg(0))
	case c.role != "submitter" && c.role != "worker":
		return c, fmt.Errorf("-role must be submitter or worker, got %q", c.role)
	case c.role == "worker" && (c.nats == "" || c.redis == "" && !c.words):
		return c, errors.New("a worker needs -nats and -redis: the servers that it shares with others")
	case c.start < 0 || c.rate < 1 || c.tile < 1 || c.size < c.tile || c.size%c.tile != 0:
		return c, errors.New("-start must not be negative, -rate at least 1, and -size a multiple of -tile")
	case c.outage < 0 || c.maxWait <= 0 || c.idleFor <= 0:
		return c, errors.New("-outage must not be negative, and -wait and -idle must be positive")
	case c.outage > 0 && c.nats != "":
		return c, errors.New("-outage needs the NATS server inside this process, so no -nats")
	case c.words && (c.outage > 0 || c.files < 1):
		return c, errors.New("-words needs -files of at least 1, and no -outage")
	case c.kill && c.start < 2:
		return c, fmt.Errorf("-kill needs two workers to start, for one to go on, got -start %d", c.start)
	}
	return c, nil
}

// run is the program.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	if c.role == "worker" {
		return work(ctx, c, stderr)
	}
	stop, err := c.serve()
	if err != nil {
		return err
	}
	defer stop()
	if c.words {
		return c.submitWords(ctx, &speaker{out: stdout})
	}
	return submit(ctx, c, stdout)
}
