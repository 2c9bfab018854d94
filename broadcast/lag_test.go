package broadcast_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/broadcast"
)

// The handler is told once each time that a subscription falls behind by half the
// capacity. C3: it may call every method that does not block.
func TestLagHandler(t *testing.T) {
	var told []string
	var b *broadcast.Broadcast[int]
	b = broadcast.New[int](broadcast.WithCapacity(8), broadcast.WithLagHandler(func(name string, backlog uint64) {
		told = append(told, fmt.Sprintf("%s %d at %d", name, backlog, b.Stats().Sent))
	}))
	expect := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, told); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		told = nil
	}
	s := must(b.Subscribe(broadcast.WithName("slow")))
	quick := must(b.Subscribe(broadcast.WithName("quick")))
	gone := must(b.Subscribe(broadcast.WithName("gone")))
	must0(gone.Close())
	for i := range 20 {
		must(0, b.TrySend(i))
		must(quick.Next(t.Context()))
	}
	expect("slow 4 at 4")
	for range 9 { // the gap and what is left
		_, _ = s.Next(t.Context())
	}
	send(t, b, 0, 3)
	expect()
	must(0, b.Send(t.Context(), 0))
	expect("slow 4 at 24", "quick 4 at 24")
	must(s.Next(t.Context())) // 3 behind
	send(t, b, 0, 1)
	expect() // it was not seen less than half behind
	take(t, s, 4)
	take(t, quick, 5)
	must(b.SendBatch(t.Context(), []int{1, 2, 3, 4, 5}))
	expect("slow 5 at 30", "quick 5 at 30")
	late := must(b.Subscribe(broadcast.WithName("late"), broadcast.WithReplay(8)))
	send(t, b, 0, 1)
	expect("late 9 at 31")
	must0(late.Close())
}

// C5, C13: a nil option is ignored, and Traced makes Stats say where a subscription was
// made.
func TestC5NilOptionsAndTraced(t *testing.T) {
	b := broadcast.New[int](nil, broadcast.Traced())
	s := must(b.Subscribe(nil, broadcast.WithName("here")))
	if st := b.Stats().Subscriptions[0]; !strings.Contains(st.Caller, "lag_test.go:") {
		t.Errorf("made at %q", st.Caller)
	}
	topics := broadcast.NewTopics[string, int](broadcast.Traced())
	must(topics.Subscribe("a"))
	if st, _ := topics.Stats("a"); !strings.Contains(st.Subscriptions[0].Caller, "lag_test.go:") {
		t.Errorf("made at %q", st.Subscriptions[0].Caller)
	}
	must0(s.Close())
}

// C12: a policy has a name, and Stats a text and complete JSON.
func TestC12StatsAndPolicies(t *testing.T) {
	b := broadcast.New[int](broadcast.WithCapacity(2))
	must(b.Subscribe(broadcast.WithName("a")))
	send(t, b, 0, 3)
	st := b.Stats()
	var back broadcast.Stats
	must0(json.Unmarshal(must(json.Marshal(st)), &back))
	if diff := cmp.Diff(st, back); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	if want := `sent 3, lost 0, retained 2, subscriptions ["a": delivered 0, missed 1, backlog 2]`; st.String() != want {
		t.Errorf("got %s, want %s", st, want)
	}
	if got, want := fmt.Sprint(broadcast.SkipOldest, broadcast.SkipToLatest, broadcast.Disconnect, broadcast.Block, broadcast.Grow, broadcast.OverflowPolicy(7)),
		"SkipOldest SkipToLatest Disconnect Block Grow OverflowPolicy(7)"; got != want {
		t.Errorf("got %s", got)
	}
}

// Values of more than 64 kB, which no channel can have as elements.
func TestLargeValues(t *testing.T) {
	type large [70_000]byte
	b := broadcast.New[large](broadcast.WithCapacity(2))
	s := must(b.Subscribe())
	topics := broadcast.NewTopics[int, large]()
	must(topics.Subscribe(1))
	var latest broadcast.Latest[large]
	var v large
	v[69_999] = 7
	must(0, b.TrySend(v))
	must(0, topics.TrySend(1, v))
	latest.Set(v)
	if got := must(s.Next(t.Context())); got[69_999] != 7 {
		t.Error("another value")
	}
}

func TestPoliciesInJSON(t *testing.T) {
	text, err := json.Marshal([]any{broadcast.SkipOldest, broadcast.Grow, broadcast.OverflowPolicy(9)})
	if want := `["SkipOldest","Grow","OverflowPolicy(9)"]`; string(text) != want || err != nil {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
}
