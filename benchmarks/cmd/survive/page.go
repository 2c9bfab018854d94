package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/tandemgo/tandem/benchmarks/internal/survive"
)

const head = `# Who survives what

Pools, pipelines, limiters and buses go wrong in ways that are well known. Each row
is one of them, with the id of Tandem's own test for it; each column is a library.
No word here is written by hand; this makes all of them, in seconds:

    go run ./cmd/survive -out FAULTS.md

It was made with %s on %s/%s.

`

const howToRead = `
## How to read it

- **survives**: the fault was tried, and was not seen. For those that depend on how
  goroutines fall together that says less than for the others: it was tried a few
  hundred times.
- **hangs**: somebody waits for what never comes. That is no matter of patience: each
  trial runs in a bubble of testing/synctest, whose clock goes on only when nobody has
  anything to do, and a day has gone by on it; or all goroutines wait at one instant,
  some of them for a lock. Only where neither tells, as of who turns in circles, a trial
  ends after %v, and the notes say so.
- **crashes**: the process ended with a panic that nobody could have recovered, or in
  the call that was asked. **leaks**: all was well, but goroutines are left an hour later.
  **wrong**: too few, too many, twice, or in the wrong order.
- **by contract**: one of these, and the documentation of the library says so, or leaves it
  to the caller; the notes below the tables say where. That is a choice, and often a
  good one.
- **–**: the library has no interface that the question could be asked through. FR1 is for
  those that are told the time; Tandem looks at its clock itself, and a test of its own
  has that clock come late.

Each library is used as its documentation says, with no more workers, queues and
buffers than the question needs. They are well-kept libraries, made for what they
are made for; most rows are about its edges. *channels* and *classic* are not
libraries but what is written by hand, with care and as in tutorials.

`

const onlyOurs = `
## Tried on Tandem only

These have tests in Tandem's packages. The others are not asked:

`

func page(w io.Writer, results []survive.Result) error {
	_, err := fmt.Fprintf(w, head, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	errs := []error{err, survive.Count(w, results)}
	_, err = fmt.Fprintf(w, howToRead, survive.Patience)
	errs = append(errs, err, survive.Versions(w), survive.Table(w, results))
	_, err = io.WriteString(w, onlyOurs)
	return errors.Join(append(errs, err, survive.OnlyOurs(w))...)
}
