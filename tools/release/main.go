// Release says whether the repository can be released as a version, and which
// commands do it. It changes nothing.
//
//	go run ./tools/release v0.2.0
//
// What is released goes together, under one version: the root and the adapters, as
// modules.go lists them. Before it can be, all of this must be so:
//
//   - the version follows the last release, and no tag of it is there yet;
//   - it is a patch only if no exported name was added, changed or removed since, and
//     the go line of go.mod is the same; before 1.0 a minor version may break what
//     is there, after it only a major one;
//   - CHANGELOG.md has its section, with a date, and nothing is left under Unreleased;
//   - each adapter requires the root at this version, replaces nothing else, and so
//     do the modules that build on adapters;
//   - the branch is main, and everything is committed.
//
// The API is compared with that of the last tag, as the Go of the go line sees it; what
// only a later one builds is compared as text. What adapters import of internal counts: who upgrades the root alone keeps an older
// adapter, and that has to compile.
//
// The exit status is 0 if all is ready, 1 if something is amiss, which is printed
// with what mends it, and 2 if the command is called wrongly or fails.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	code := release(ctx, ".", os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// release is the program, run in dir. It returns the exit status.
func release(ctx context.Context, dir string, args []string, stdout, stderr io.Writer) int {
	fl := flag.NewFlagSet("release", flag.ContinueOnError)
	fl.SetOutput(stderr)
	fl.Usage = func() { fmt.Fprint(stderr, "usage: release VERSION\n") }
	switch err := fl.Parse(args); {
	case err == flag.ErrHelp:
		return 0
	case err != nil:
		return 2
	case fl.NArg() != 1:
		fl.Usage()
		return 2
	}
	p, err := examine(ctx, dir, fl.Arg(0))
	if err != nil {
		fmt.Fprintf(stderr, "release: %v\n", err)
		return 2
	}
	p.write(stdout)
	if len(p.problems) > 0 {
		return 1
	}
	return 0
}
