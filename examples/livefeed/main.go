// Livefeed shows the run-time metrics of its own process as live charts, in any
// number of browsers at once.
//
//	go run ./examples/livefeed [-addr 127.0.0.1:8090]
//
// Ten times a second a sample is sent to one broadcast, which every browser
// follows by server-sent events. A browser that falls behind, or was away, goes
// on where it was, or gets the number of samples it has missed; it never slows down the
// others. Where samples are missing, the lines of the charts have a gap with the number
// of lost samples. A button adds a viewer that is too slow, and shows how many it misses;
// /debug/tandem shows the server's side of it, see package debug. The pages need no
// network but this server.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	code := run(ctx, os.Args[1:], os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program. It returns the exit status.
func run(ctx context.Context, args []string, stderr io.Writer) int {
	fl := flag.NewFlagSet("livefeed", flag.ContinueOnError)
	fl.SetOutput(stderr)
	addr := fl.String("addr", "127.0.0.1:8090", "where to serve")
	c := config{}
	fl.DurationVar(&c.every, "every", 100*time.Millisecond, "how often a sample is sent")
	fl.IntVar(&c.retain, "retain", 150, "how many samples a browser may be behind")
	switch err := fl.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case fl.NArg() > 0 || c.every <= 0 || c.retain < 1:
		fmt.Fprintln(stderr, "livefeed: no arguments, please, and -every and -retain above 0")
		return 2
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		fmt.Fprintln(stderr, "livefeed:", err)
		return 1
	}
	fmt.Fprintf(stderr, "live charts at http://%[1]s/, what the server sees at http://%[1]s/debug/tandem, until Ctrl-C\n", ln.Addr())
	if err := serve(ctx, ln, c); err != nil {
		fmt.Fprintln(stderr, "livefeed:", err)
		return 1
	}
	return 0
}
