package debug_test

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/internal/browser"
)

// Both tests share a browser: to start one takes a second.
func TestBrowser(t *testing.T) {
	b := browser.Start(t)
	t.Run("sees faults", func(t *testing.T) { seesFaults(t, b) })
	t.Run("shows the books", func(t *testing.T) { showsTheBooks(t, b) })
}

// The page says what is wrong with a program, and nothing about one that is well. It fits
// a phone and a desk. TANDEM_SCREENSHOTS names a folder for pictures of it.
func seesFaults(t *testing.T, b *browser.Browser) {
	for is, want := range map[fault]string{
		none:              "Nothing is stuck",
		slowStage:         "pipeline images: stage resize is slow",
		stalledSubscriber: "broadcast prices: subscription alerts has stalled",
		fullQueue:         "pool mail: its queue is full",
	} {
		t.Run(string(is), func(t *testing.T) {
			p := startProgram(t, is)
			p.h.Interval = 250 * time.Millisecond
			server := httptest.NewServer(&p.h)
			defer server.Close()
			page := b.Open(server.URL + "/debug/tandem")
			page.Wait("past.length > 12 && [...document.querySelectorAll('#findings li b')].map(x => x.textContent).join() === " + strconv.Quote(want))
			shoot := func(name string, width int) {
				page.Resize(width, 800)
				page.Wait("innerWidth === " + strconv.Itoa(width) + " && (draw(), true)")
				page.Never("document.documentElement.scrollWidth > innerWidth", "the page is wider than the screen")
				page.Never("[...document.querySelectorAll('svg')].some(x => x.getBoundingClientRect().right > innerWidth)", "a picture is wider than the screen")
				if dir := os.Getenv("TANDEM_SCREENSHOTS"); dir != "" {
					page.Screenshot(filepath.Join(dir, strings.ReplaceAll(string(is), " ", "-")+name+".png"))
				}
			}
			shoot("-390", 390)
			shoot("", 1280)
			if is == slowStage {
				page.Wait("document.querySelectorAll('svg .badge + text').length === 1 && document.querySelector('svg .badge + text').textContent === 'BOTTLENECK'")
				page.Dark()
				shoot("-dark", 1280)
			}
			_ = p.h.Close() // the server waits for open pages
			page.Wait("document.getElementById('status').className === 'off'")
			p.stop()
		})
	}
}

// After a run has ended, the figures on the page are those of the books.
func showsTheBooks(t *testing.T, b *browser.Browser) {
	p := startProgram(t, none)
	pause(t.Context(), time.Second)
	p.stop()
	p.h.Interval = 50 * time.Millisecond
	server := httptest.NewServer(&p.h)
	defer server.Close()
	page := b.Open(server.URL)
	page.Wait("past.length > 3")
	var got map[string]int
	page.Eval("Object.fromEntries([...document.querySelectorAll('[data-f]')].map(e => [e.dataset.f, Number(e.textContent.replaceAll(',', ''))]))", &got)
	_ = p.h.Close()

	want := map[string]int{}
	count := func(path string, figures any, keys ...string) {
		text, err := json.Marshal(figures)
		if err != nil {
			t.Fatal(err)
		}
		var all map[string]json.RawMessage
		if err := json.Unmarshal(text, &all); err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			n, err := strconv.Atoi(string(all[key]))
			if err != nil {
				t.Fatal(err)
			}
			want[path+key] = n
		}
	}
	for i, st := range p.images.Stats() {
		keys := []string{"In", "Out"}
		for key, n := range map[string]uint64{"Failed": st.Failed, "Skipped": st.Skipped, "Discarded": st.Discarded} {
			if n > 0 {
				keys = append(keys, key)
			}
		}
		count("Pipelines/images/"+strconv.Itoa(i)+"/", st, keys...)
	}
	st := p.mail.Stats()
	count("Pools/mail/", st, "Queued", "Room", "Running", "Limit", "Submitted", "Completed", "Failed", "Cancelled", "Blocked", "Workers")
	want["Pools/mail/QueueWait/Count"] = int(st.QueueWait.Count())
	want["Pools/mail/RunTime/Count"] = int(st.RunTime.Count())
	count("Broadcasts/prices/", p.prices.Stats(), "Sent", "Lost", "Retained", "Capacity")
	count("Inflight/calls/", p.calls.Stats(), "InFlight", "Limit", "Waiting", "Waits", "Dropped")
	count("Limiters/api/", p.api.Stats(), "Owed", "Waiting", "Waits")
	count("Keyed/users/", p.users.Stats(), "Granted", "Denied", "Waiting", "Waits", "Keys", "Evicted", "Forgotten", "Shared")
	delete(got, "Limiters/api/Owed") // it falls as time goes by
	delete(want, "Limiters/api/Owed")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("figures on the page, -books +page:\n%s", diff)
	}
	for _, key := range []string{"Pools/mail/Completed", "Pipelines/images/3/Out", "Broadcasts/prices/Sent", "Keyed/users/Denied"} {
		if got[key] == 0 {
			t.Errorf("%s is 0", key)
		}
	}
}
