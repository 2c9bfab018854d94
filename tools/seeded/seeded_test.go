package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs the program on this library.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = seeded(t.Context(), filepath.Join("..", ".."), args, &out, &errs)
	return code, out.String(), errs.String()
}

func write(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "bugs.txt")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func listed(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("bugs", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	return files
}

// Every listed bug fits the present code in one place, and the bugs of other libraries
// are in the table of faults.
func TestTheListFits(t *testing.T) {
	if code, _, errs := run(t, append([]string{"-check"}, listed(t)...)...); code != 0 {
		t.Errorf("exit status %d\n%s", code, errs)
	}
	var faults []byte
	tables, err := filepath.Glob(filepath.Join("..", "..", "internal", "faults", "*.go"))
	if err != nil || len(tables) == 0 {
		t.Fatal(tables, err)
	}
	for _, table := range tables {
		text, err := os.ReadFile(table)
		if err != nil {
			t.Fatal(err)
		}
		faults = append(faults, text...)
	}
	for _, file := range listed(t) {
		bugs, err := readBugs(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range bugs {
			if b.fault != "" && !bytes.Contains(faults, []byte(`{ID: "`+b.fault+`"`)) {
				t.Errorf("%s: there is no fault %s", b.id, b.fault)
			}
		}
	}
}

// A bug is found, with its program, run and choices; a harmless change is not.
func TestHunt(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two test programs")
	}
	code, out, errs := run(t, "-only=^ring-silent-close$", filepath.Join("bugs", "ring.txt"))
	if code != 0 || !strings.Contains(out, ": found by TestExplore") || !strings.Contains(out, "1 of 1 found") {
		t.Errorf("exit status %d\n%s%s", code, out, errs)
	}
	harmless := write(t, `bug harmless: nothing
programs internal/stage
file internal/stage/mutex.go
-	free = iota
+	free = iota + 0
`)
	code, out, errs = run(t, "-limit=1s", harmless)
	if code != 1 || !strings.Contains(out, "not found in") || !strings.Contains(out, "0 of 1 found") {
		t.Errorf("exit status %d\n%s%s", code, out, errs)
	}
}

// A patch changes whole lines, in several places of several files.
func TestPlant(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a": "one\ntwo\ntwo more\nthree\n", "b": "four\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	bugs, err := readBugs(write(t, `# a comment
bug x: it breaks
fault FP1
programs p
file a
-one
+1
@@
 two more
-three
file b
+0
 four
`))
	if err != nil || len(bugs) != 1 || bugs[0].what != "it breaks" || bugs[0].fault != "FP1" || bugs[0].pkg != "p" {
		t.Fatalf("%+v, %v", bugs, err)
	}
	texts, err := bugs[0].plant(dir)
	if a := string(texts[filepath.Join(dir, "a")]); err != nil || a != "1\ntwo\ntwo more\n" {
		t.Errorf("%q, %v", a, err)
	}
	if b := string(texts[filepath.Join(dir, "b")]); b != "0\nfour\n" {
		t.Errorf("%q", b)
	}
}

// A bug that fits nowhere or in two places, or is malformed, is rejected.
func TestMisuse(t *testing.T) {
	const head = "bug x: y\nprograms internal/stage\nfile internal/stage/mutex.go\n"
	for text, want := range map[string]string{
		head + "-nowhere\n":             "has 0 places",
		head + "-\t}\n":                 "has 3 places",
		head + " type Mutex struct {\n": "do not change",
		head + "+more\n":                "do not change",
		"bug x\n":                       "belongs to no bug",
		"fault FP1\n":                   "belongs to no bug",
		head + "what\n":                 `what is "what"?`,
		head + "-\tfree = iota\n" + head + "-\tfree = iota\n": "x is there twice",
	} {
		if code, _, errs := run(t, "-check", write(t, text)); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%q: exit status %d, want %q in %s", text, code, want, errs)
		}
	}
	for args, want := range map[string]string{
		"":          "no file of bugs",
		"-only=( x": "-only",
		"nowhere":   "nowhere",
	} {
		if code, _, errs := run(t, strings.Fields(args)...); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%q: exit status %d\n%s", args, code, errs)
		}
	}
}

// The output of test programs is parsed; running out of time is not a finding.
func TestFindings(t *testing.T) {
	const begins = "=== RUN   TestExploreA\n    a_test.go:1: 200 runs, all classes of orders with up to 2 preemptions\n=== RUN   TestExploreB/c\n"
	for out, want := range map[string][]string{
		begins + "    b_test.go:9: got 1\n    explore.go:1: run 3 went wrong:\n          x\n        TANDEM_SCHEDULE=0.2 runs it again\n": {
			"TestExploreB/c", "0.2", "got 1"},
		begins + "panic: oh [recovered, repanicked]\n": {"TestExploreB/c", "", "panic: oh"},
		begins + "panic: test timed out after 1s\n":    nil,
		"FAIL\n": nil,
	} {
		var f finding
		if !f.read(out) {
			f = finding{}
		}
		var got []string
		if f.program != "" {
			got = []string{f.program, f.choices, f.why}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q of\n%s", got, out)
		}
	}
}
