// Chat serves chat rooms over WebSockets.
//
//	go run ./examples/chat [-addr 127.0.0.1:8091]
//
// Each room is a topic, and each connection a subscription to it. All members of a room see
// the same messages in the same order. A member that is too slow misses some, and gets their
// number; one that takes nothing loses the connection. Neither delays the others. A member whose
// connection broke names the last message that arrived, and gets those since.
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
	fl := flag.NewFlagSet("chat", flag.ContinueOnError)
	fl.SetOutput(stderr)
	addr := fl.String("addr", "127.0.0.1:8091", "the address to serve at")
	switch err := fl.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case fl.NArg() > 0:
		fmt.Fprintln(stderr, "chat: there are no arguments")
		return 2
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		fmt.Fprintln(stderr, "chat:", err)
		return 1
	}
	fmt.Fprintf(stderr, "chat at http://%s/, until Ctrl-C\n", ln.Addr())
	if err := serve(ctx, ln, newHub(1024)); err != nil {
		fmt.Fprintln(stderr, "chat:", err)
		return 1
	}
	return 0
}
