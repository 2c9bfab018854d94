// Linkcheck finds broken links in Markdown, HTML and CSS, in files or on a site.
//
//	go run ./examples/linkcheck [flags] [URL | DIR | FILE…]
//
// Links to files and anchors are checked on disk, and links within a site by fetching
// it; external links only with -external. A link such as /docs/a.md is relative to DIR, or to
// the working directory if files are given. Without an argument, linkcheck checks a
// small built-in site with links that are broken on purpose. README.md has the details.
//
// The report goes to standard output, progress to standard error. The exit status is 0
// if all links are good, 1 if a link is broken or the run was stopped, and 2 if it
// could not start.
package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tandemgo/tandem/broadcast"
)

//go:embed site
var siteFiles embed.FS

const (
	exitGood   = 0
	exitBroken = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// A config is the command line.
type config struct {
	external bool
	json     bool
	quiet    bool
	serve    string
	skip     []string
	ignore   []*regexp.Regexp
	hidden   bool
	workers  int
	rate     int
	maxPages int
	timeout  time.Duration
	targets  []string // none for the built-in site
}

// ignores reports whether a link is not to be checked.
func (c config) ignores(l Link) bool {
	return slices.ContainsFunc(c.ignore, func(re *regexp.Regexp) bool { return re.MatchString(l.Target) })
}

func parseFlags(args []string, stderr io.Writer) (config, error) {
	var c config
	fl := flag.NewFlagSet("linkcheck", flag.ContinueOnError)
	fl.SetOutput(stderr)
	fl.Usage = func() {
		fmt.Fprint(stderr, "usage: linkcheck [flags] [URL | DIR | FILE…]\n")
		fl.PrintDefaults()
	}
	fl.BoolVar(&c.external, "external", false, "check http links that lead elsewhere, too")
	fl.BoolVar(&c.json, "json", false, "write the report as JSON")
	fl.BoolVar(&c.quiet, "quiet", false, "show no progress")
	fl.StringVar(&c.serve, "serve", "", "show the run on a live page at `ADDR`, until interrupted")
	fl.BoolVar(&c.hidden, "hidden", false, "read hidden directories, too")
	fl.Func("ignore", "do not check links that match the regular `EXPRESSION`; may be repeated", func(s string) error {
		re, err := regexp.Compile(s)
		c.ignore = append(c.ignore, re)
		return err
	})
	fl.Func("skip", "do not read files and directories below DIR that match `PATTERN`, such as docs/old; may be repeated", func(s string) error {
		_, err := path.Match(s, "")
		c.skip = append(c.skip, s)
		return err
	})
	fl.IntVar(&c.workers, "workers", 4*runtime.GOMAXPROCS(0), "how many checks run at once")
	fl.IntVar(&c.rate, "rate", 50, "how many requests a second each host gets")
	fl.IntVar(&c.maxPages, "max-pages", 10_000, "how many pages of a site are fetched at most")
	fl.DurationVar(&c.timeout, "timeout", 10*time.Second, "how long a server may take to answer")
	if err := fl.Parse(args); err != nil {
		return c, err
	}
	switch {
	case fl.NArg() > 1 && slices.ContainsFunc(fl.Args(), isURL):
		return c, fmt.Errorf("one URL, or directories and files, got %s", strings.Join(fl.Args(), " "))
	case c.workers < 1:
		return c, fmt.Errorf("-workers must be at least 1, got %d", c.workers)
	case c.rate < 1:
		return c, fmt.Errorf("-rate must be at least 1, got %d", c.rate)
	case c.maxPages < 1:
		return c, fmt.Errorf("-max-pages must be at least 1, got %d", c.maxPages)
	case c.timeout <= 0:
		return c, fmt.Errorf("-timeout must be more than 0, got %v", c.timeout)
	}
	c.targets = fl.Args()
	return c, nil
}

func isURL(arg string) bool {
	return strings.HasPrefix(arg, "http://") || strings.HasPrefix(arg, "https://")
}

// run is the program. It returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := parseFlags(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitGood
	}
	if err == nil {
		var rep Report
		if rep, err = check(ctx, c, stderr); err == nil {
			write := rep.WriteText
			if c.json {
				write = rep.WriteJSON
			}
			if err = write(stdout); err == nil {
				if rep.OK() {
					return exitGood
				}
				if len(c.targets) == 0 && !c.quiet {
					fmt.Fprintln(stderr, "Links of the built-in site are broken on purpose; hence exit status 1. To check your own: linkcheck DIR")
				}
				return exitBroken
			}
		}
	}
	fmt.Fprintf(stderr, "linkcheck: %v\n", err)
	return exitUsage
}

// check runs the check with the settings of c. An error means that it could not start.
func check(ctx context.Context, c config, stderr io.Writer) (Report, error) {
	client := newClient(c.timeout, c.rate)
	defer client.close()
	src, name, done, err := open(c, client)
	if err != nil {
		return Report{}, err
	}
	defer done()

	news := broadcast.New[Event]()
	rec := &recorder{report: Report{Root: name}}
	if c.serve != "" {
		ln, err := net.Listen("tcp", c.serve)
		if err != nil {
			return Report{}, err
		}
		defer serveLive(ctx, ln, rec, news).close()
		fmt.Fprintf(stderr, "live page at http://%s/\n", ln.Addr())
	}
	var watching sync.WaitGroup
	if !c.quiet {
		// The terminal shows only the present state.
		sub, err := news.Subscribe(broadcast.WithOverflow(broadcast.SkipToLatest), broadcast.WithName("terminal"))
		if err != nil {
			return Report{}, err
		}
		watching.Go(func() { watch(stderr, sub) })
	}

	r := &runner{src: src, client: client, external: c.external, ignored: c.ignores, workers: c.workers, rec: rec, news: news}
	r.run(ctx)
	_ = news.Close() // its only error is that it is closed
	watching.Wait()
	if c.serve != "" {
		fmt.Fprintln(stderr, "done; the page stays until Ctrl-C")
		<-ctx.Done()
	}
	return rec.snapshot(), nil
}

// open returns the source named by the command line, its name for the report, and a
// function to call at the end.
func open(c config, client *client) (src source, name string, done func(), err error) {
	done = func() {}
	if len(c.targets) == 0 {
		var target string
		target, done, err = serveBuiltIn()
		if err != nil {
			return nil, "", nil, err
		}
		c.targets = []string{target}
	}
	if target := c.targets[0]; isURL(target) {
		u, err := url.Parse(target)
		if err == nil && u.Host == "" {
			err = fmt.Errorf("URL %s has no host", target)
		}
		if err != nil {
			done()
			return nil, "", nil, err
		}
		return &site{start: u, client: client, ignored: c.ignores, workers: c.workers, maxPages: c.maxPages}, target, done, nil
	}
	root, starts, err := openTree(c.targets)
	if err != nil {
		return nil, "", nil, err
	}
	what := selection{starts: starts, skip: c.skip, hidden: c.hidden}
	return &tree{dir: root, what: what, workers: c.workers}, root, done, nil
}

// serveBuiltIn serves the built-in site on loopback and returns its URL.
func serveBuiltIn() (u string, done func(), err error) {
	files, err := fs.Sub(siteFiles, "site")
	if err != nil {
		return "", nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: http.FileServerFS(files), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(ln) }() // ends by Close
	return "http://" + ln.Addr().String() + "/", func() { _ = server.Close() }, nil
}
