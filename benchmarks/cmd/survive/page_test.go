package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/internal/survive"
	"github.com/tandemgo/tandem/internal/faults"
)

func TestMain(m *testing.M) {
	survive.Child(survive.All())
	os.Exit(m.Run())
}

// FAULTS.md has every row of the list, and the tables that are made now.
func TestPageIsOfNow(t *testing.T) {
	kept, err := os.ReadFile("../../FAULTS.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults.All() {
		if !strings.Contains(string(kept), "\n| "+f.ID+" | "+f.Fault+" | ") {
			t.Errorf("no row of %s; make it again with go run ./cmd/survive -out FAULTS.md", f.ID)
		}
	}
	var now strings.Builder
	if err := page(&now, nil); err != nil {
		t.Fatal(err)
	}
	titles := regexp.MustCompile(`(?m)^(#.*|\| \| What goes wrong .*|    go run .*|- \*\*.*)$`)
	want := strings.Join(titles.FindAllString(now.String(), -1), "\n")
	if got := strings.Join(titles.FindAllString(string(kept), -1), "\n"); got != want {
		t.Errorf("FAULTS.md is not made by this program. It has\n%s\nwant\n%s", got, want)
	}
}

// What Tandem does not survive is an error, what others do not is none.
func TestVictims(t *testing.T) {
	of := func(peer string, o survive.Outcome) survive.Result {
		return survive.Result{Scenario: survive.Scenario{Kind: "Pools", Fault: "FP1", Peer: peer}, Outcome: o, Detail: "7 of 9"}
	}
	if err := victims([]survive.Result{of("tandem", survive.Survives), of("pond", survive.Hangs)}); err != nil {
		t.Error(err)
	}
	err := victims([]survive.Result{of("tandem-fan", survive.ByContract)})
	if err == nil || err.Error() != "Pools/FP1/tandem-fan by contract: 7 of 9" {
		t.Errorf("got %v", err)
	}
}
