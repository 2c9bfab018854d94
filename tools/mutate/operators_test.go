package main

import (
	"flag"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write what the operators make to testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// diff returns the lines in which a and b differ, with the line numbers of a.
func diff(a, b string) string {
	was, is := strings.Split(a, "\n"), strings.Split(b, "\n")
	head := 0
	for head < min(len(was), len(is)) && was[head] == is[head] {
		head++
	}
	tail := 0
	for tail < min(len(was), len(is))-head && was[len(was)-1-tail] == is[len(is)-1-tail] {
		tail++
	}
	var out strings.Builder
	for _, l := range was[head : len(was)-tail] {
		fmt.Fprintf(&out, "-%s\n", l)
	}
	for _, l := range is[head : len(is)-tail] {
		fmt.Fprintf(&out, "+%s\n", l)
	}
	return out.String()
}

// Each operator makes the mutants in testdata, and all of them are valid Go.
func TestOperators(t *testing.T) {
	f, err := parse(filepath.Join("testdata", "operators", "operators.go.txt"))
	if err != nil {
		t.Fatal(err)
	}
	p := &source{path: "box", files: []*file{f}}
	for _, op := range operators {
		t.Run(op.name, func(t *testing.T) {
			var got strings.Builder
			for _, m := range p.mutants([]*operator{op}) {
				if _, err := format.Source(m.source()); err != nil {
					t.Errorf("%s: %v", m.id, err)
				}
				fmt.Fprintf(&got, "%s\n%s\n%s\n", m.id, m.key, diff(string(f.text), string(m.source())))
			}
			golden := filepath.Join("testdata", "operators", op.name+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got.String()); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if got.Len() == 0 {
				t.Error("it makes no mutant")
			}
		})
	}
}

// All mutants are different programs with different ids and keys.
func TestMutantsDiffer(t *testing.T) {
	f, err := parse(filepath.Join("testdata", "operators", "operators.go.txt"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range (&source{path: "box", files: []*file{f}}).mutants(operators) {
		for _, of := range []string{string(m.source()), m.id, m.key} {
			if seen[of] {
				t.Errorf("there are two with %s", of)
			}
			seen[of] = true
		}
	}
}
