package lawguard_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLawsAndTestsAgree(t *testing.T) {
	root := filepath.Join("..", "..")
	page, err := os.ReadFile(filepath.Join(root, "LAWS.md"))
	if err != nil {
		t.Fatal(err)
	}
	laws := parse(string(page))
	tests := map[string][]string{}
	for _, l := range laws {
		for pkg := range l.tests {
			if tests[pkg] == nil {
				tests[pkg] = testsIn(t, filepath.Join(root, filepath.FromSlash(pkg)))
			}
		}
	}
	if len(tests["pool"]) == 0 {
		t.Error("no test of pool is seen")
	}
	for _, gap := range gaps(laws, tests) {
		t.Error(gap)
	}
}

// The guard sees what it is for.
func TestGuardSeesGaps(t *testing.T) {
	laws := parse("" +
		"## Every package\n\n" +
		"- **C1** No leaks.\n" +
		"  - a: `TestC1One`.\n" +
		"  - b/c: `TestOther`.\n" +
		"- **C2** A context.\n\n" +
		"## a\n\n" +
		"- **P1** Exactly once. Tests: `TestP1Gone`, `FuzzA`, `TestC1One`.\n" +
		"- **P1** Again. Tests: `FuzzA`.\n")
	got := gaps(laws, map[string][]string{
		"a":   {"TestC1One", "TestC1Two", "TestP1Three", "TestP12Four", "TestFault", "FuzzA"},
		"b/c": {"TestOther"},
	})
	want := []string{
		"C2: LAWS.md names no test",
		"P1: LAWS.md names TestP1Gone of a, which does not exist",
		"P1: LAWS.md has the law twice",
		"C1: LAWS.md does not name TestC1Two of a",
		"P1: LAWS.md does not name TestP1Three of a",
		"P12: LAWS.md does not name TestP12Four of a",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("gaps, -want +got:\n%s", diff)
	}
}

// A law is an item of LAWS.md.
type law struct {
	id    string
	tests map[string][]string // by package
}

var (
	section  = regexp.MustCompile(`^## (.*\S)`)
	item     = regexp.MustCompile(`^- \*\*([A-Z]\d+)\*\* `)
	ofOne    = regexp.MustCompile(`^  - ([a-z/]+): `)
	name     = regexp.MustCompile("`((?:Test|Fuzz)\\w+)`")
	declared = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	idOf     = regexp.MustCompile(`^Test([CPLFRBIN]\d+)[A-Z]`)
)

// parse returns the laws of a page. The tests in an item are those of the package in the
// heading, those in an item below it are those of the package that it begins with.
func parse(page string) (laws []law) {
	heading := ""
	for line := range strings.Lines(page) {
		if m := section.FindStringSubmatch(line); m != nil {
			heading = m[1]
		}
		if m := item.FindStringSubmatch(line); m != nil {
			laws = append(laws, law{m[1], map[string][]string{}})
		}
		pkg := heading
		if m := ofOne.FindStringSubmatch(line); m != nil {
			pkg = m[1]
		}
		for _, m := range name.FindAllStringSubmatch(line, -1) {
			l := laws[len(laws)-1]
			l.tests[pkg] = append(l.tests[pkg], m[1])
		}
	}
	return laws
}

// testsIn returns the names of the tests in a folder, whatever their build tags.
func testsIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
		}
	}
	return names
}

// gaps returns where the laws and the tests of their packages differ.
func gaps(laws []law, tests map[string][]string) (gaps []string) {
	named := map[string]bool{}
	seen := map[string]bool{}
	for _, l := range laws {
		if seen[l.id] {
			gaps = append(gaps, l.id+": LAWS.md has the law twice")
		}
		seen[l.id] = true
		if len(l.tests) == 0 {
			gaps = append(gaps, l.id+": LAWS.md names no test")
		}
		for pkg, names := range l.tests {
			for _, n := range names {
				named[l.id+" "+pkg+" "+n] = true
				if !slices.Contains(tests[pkg], n) {
					gaps = append(gaps, fmt.Sprintf("%s: LAWS.md names %s of %s, which does not exist", l.id, n, pkg))
				}
			}
		}
	}
	for pkg, names := range tests {
		for _, n := range names {
			if m := idOf.FindStringSubmatch(n); m != nil && !named[m[1]+" "+pkg+" "+n] {
				gaps = append(gaps, fmt.Sprintf("%s: LAWS.md does not name %s of %s", m[1], n, pkg))
			}
		}
	}
	return gaps
}
