package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/tandemgo/tandem/broadcast"
)

// watch prints the progress to w until the events end: as a bar on a terminal,
// otherwise as a line for each phase.
func watch(w io.Writer, events *broadcast.Subscription[Event]) {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		watchBar(w, events)
		return
	}
	var last Event
	for e, err := range events.All(context.Background()) {
		if err != nil { // only the newest event matters, so gaps are ignored
			continue
		}
		if e.Phase != last.Phase && last.Phase != "" {
			fmt.Fprintf(w, "%s: %d done, %d broken so far\n", last.Phase, last.Done, last.Broken)
		}
		last = e
	}
}

func watchBar(w io.Writer, events *broadcast.Subscription[Event]) {
	bar := progressbar.NewOptions(-1,
		progressbar.OptionSetWriter(w),
		progressbar.OptionShowCount(),
		progressbar.OptionThrottle(65*time.Millisecond),
		progressbar.OptionClearOnFinish())
	// A failed write to the terminal is ignored.
	defer func() { _ = bar.Finish() }()
	for e, err := range events.All(context.Background()) {
		if err != nil {
			continue
		}
		if e.Total > 0 && e.Total != bar.GetMax() {
			bar.ChangeMax(e.Total)
		}
		bar.Describe(fmt.Sprintf("%s, %d broken", e.Phase, e.Broken))
		_ = bar.Set(e.Done)
	}
}
