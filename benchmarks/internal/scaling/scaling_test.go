package scaling_test

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/perf/benchfmt"

	"github.com/tandemgo/tandem/benchmarks/internal/scaling"
)

var update = flag.Bool("update", false, "write testdata/SCALING.golden as it is now")

func read(t *testing.T) []*benchfmt.Result {
	t.Helper()
	f, err := os.Open("testdata/results.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	results, err := scaling.Read(f, f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// written returns what Write writes, by name.
func written(t *testing.T, results []*benchfmt.Result) map[string]string {
	t.Helper()
	dir := t.TempDir()
	if err := scaling.Write(dir, "Measured somewhere, at some time.\n", results); err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for _, pattern := range []string{"*.md", "charts/*.svg"} {
		names, err := fs.Glob(os.DirFS(dir), pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			files[name] = string(text)
		}
	}
	return files
}

func TestPageIsThatOfTheResults(t *testing.T) {
	const golden = "testdata/SCALING.golden"
	got := written(t, read(t))[scaling.Page]
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the page has changed (-want +got), see -update:\n%s", diff)
	}
}

func TestSameResultsGiveTheSameFiles(t *testing.T) {
	first, second := written(t, read(t)), written(t, read(t))
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("two runs differ:\n%s", diff)
	}
	for name, text := range first {
		if filepath.Ext(name) == ".svg" && !bytes.Contains([]byte(text), []byte("</svg>")) {
			t.Errorf("%s does not end as an SVG does", name)
		}
		if name != scaling.Page && !bytes.Contains([]byte(first[scaling.Page]), []byte(name)) {
			t.Errorf("%s is not on the page", name)
		}
	}
}

func TestNothingToWriteIsAnError(t *testing.T) {
	if err := scaling.Write(t.TempDir(), "", nil); err == nil {
		t.Error("no results, no error")
	}
}
