package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/benchmarks/internal/bars"
)

var update = flag.Bool("update", false, "write the golden files")

func run(t *testing.T, args string) (code int, out string) {
	t.Helper()
	var stdout, stderr strings.Builder
	code = report(t.Context(), strings.Fields(args), &stdout, &stderr)
	return code, stdout.String() + stderr.String()
}

// The figures of testdata/raw.txt are synthetic: libraries at fixed ratios with some
// noise, on a machine that is slower in two of six rounds; Tandem and other libraries win
// and lose. The pages have every chart, and charts are valid SVG.
func TestPagesOfKeptOutput(t *testing.T) {
	out := t.TempDir()
	readme := filepath.Join(out, "README.md")
	const begin, end = "<!-- made by benchmarks/cmd/report -->\n", "<!-- end of what is made -->\n"
	if err := os.WriteFile(readme, []byte("before\n"+begin+"old\n"+end+"after\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, printed := run(t, "-from testdata/raw.txt -out "+out+" -summary "+readme)
	if code != 0 {
		t.Fatalf("code %d: %s", code, printed)
	}
	golden := map[string]string{"printed.golden": strings.ReplaceAll(printed, out, "OUT")}
	charts := map[string]bool{}
	for _, name := range []string{"RESULTS", "SCALING", "README"} {
		text, err := os.ReadFile(filepath.Join(out, name+".md"))
		if err != nil {
			t.Fatal(err)
		}
		golden[name+".golden"] = string(text)
		for _, m := range regexp.MustCompile(`\]\((charts/[^)]*)\)`).FindAllSubmatch(text, -1) {
			charts[string(m[1])] = true
		}
	}
	files, err := filepath.Glob(filepath.Join(out, "charts", "*"))
	if err != nil || len(files) != len(charts) {
		t.Errorf("there are charts %q, the pages have %v, error %v", files, charts, err)
	}
	for name := range charts {
		svg, err := os.ReadFile(filepath.Join(out, name))
		if err != nil || !strings.Contains(string(svg), ">tandem<") && !strings.Contains(string(svg), ">pool<") ||
			!strings.HasSuffix(string(svg), "</svg>\n") || strings.Contains(string(svg), "NaN") {
			t.Errorf("%s: error %v, or it does not have the figures:\n%.2000s", name, err, svg)
		}
	}
	for name, got := range golden {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got), -update accepts it:\n%s", name, diff)
		}
	}
}

func TestFailures(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.txt")
	if err := os.WriteFile(bad, []byte("round: 1\nBenchmarkPool 1 5 ns/op\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]struct {
		code int
		text string
	}{
		"-nope":                                  {2, "not defined: -nope"},
		"all":                                    {2, `unexpected argument "all"`},
		"-rounds -1":                             {2, "must not be negative"},
		"-help":                                  {0, "-quick"},
		"-from nowhere.txt":                      {1, "nowhere.txt"},
		"-from " + bad:                           {1, "bad.txt:2: Pool: its name has no lib="},
		"-out " + bad:                            {1, "-out: "},
		"-from testdata/raw.txt -summary " + bad: {1, "bad.txt must have a line"},
	} {
		if code, out := run(t, args); code != want.code || !strings.Contains(out, want.text) {
			t.Errorf("%s: code %d, want %+v:\n%s", args, code, want, out)
		}
	}
}

// A subset of the figures replaces all of them only on request.
func TestSettings(t *testing.T) {
	pattern := bars.Pattern(bars.All)
	for args, want := range map[string]string{
		"":                              "10 3 50ms . .",
		"-rounds 3 -sweeps 1":           "3 1 50ms . .",
		"-bench Pool":                   "10 0 50ms Pool ",
		"-bench Pool -sweeps 2 -out x":  "10 2 50ms Pool x",
		"-quick":                        "3 0 10ms " + pattern + " ",
		"-quick -bench P -benchtime 5x": "3 0 5x P ",
	} {
		o, err := parse(strings.Fields(args), os.Stderr)
		got := strings.Join([]string{strconv.Itoa(o.Rounds), strconv.Itoa(o.Sweeps), o.Benchtime, o.Bench, o.out}, " ")
		if err != nil || got != want {
			t.Errorf("%s: %q, error %v; want %q", args, got, err, want)
		}
	}
}
