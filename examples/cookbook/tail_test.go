package cookbook_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/ratelimit"
)

// Tail a log and alert: errors are collected, so that a burst of them is one message,
// and at most one message an hour is sent.
func Example_tailAndAlert() {
	file, writer := io.Pipe() // stands for a growing file
	go func() {
		for _, line := range []string{
			"INFO start", "ERROR disk 1", "ERROR disk 2", "INFO tick",
			"ERROR disk 3", "ERROR disk 4", "WARN slow", "ERROR disk 5",
		} {
			fmt.Fprintln(writer, line)
		}
		_ = writer.Close()
	}()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// No context interrupts a Read. Closing the file does, and lets the run end.
	stop := context.AfterFunc(ctx, func() { _ = file.Close() })
	defer stop()
	lines := func(yield func(string, error) bool) {
		in := bufio.NewScanner(file)
		for in.Scan() {
			if !yield(in.Text(), nil) {
				return
			}
		}
		if err := in.Err(); err != nil {
			yield("", err)
		}
	}

	bad := pipeline.Filter(func(_ context.Context, line string) (bool, error) { return strings.HasPrefix(line, "ERROR"), nil })
	// Batches of two here, so that there are several messages; use a hundred in
	// practice.
	alerts := pipeline.Then(bad, pipeline.Batch[string](2, time.Minute))
	hourly := ratelimit.New(ratelimit.Every(time.Hour), 1)
	held := 0
	for batch, err := range alerts.Run(ctx, pipeline.Seq2(lines)) {
		switch {
		case err != nil:
			fmt.Println("the log has ended:", err)
		case hourly.Allow():
			fmt.Printf("ALERT %s (%d more, %d since the last alert)\n", batch[0], len(batch)-1, held)
			held = 0
		default:
			held += len(batch)
		}
	}
	fmt.Println(held, "held back for the next alert")
	// Output:
	// ALERT ERROR disk 1 (1 more, 0 since the last alert)
	// 3 held back for the next alert
}
