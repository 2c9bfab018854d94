// Package inlining checks the inlining of engines that use internal/sched: the compiler
// must inline as much as if they used sync and sync/atomic directly.
package inlining

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/tandemgo/tandem/tools/internal/testprog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engines are the folders whose packages use internal/sched.
var engines = []string{"broadcast", "fan", "inflight", "ratelimit", "pool", "internal/taskpool", "internal/taskctx"}

func TestSchedCostsNothing(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	engines := engines
	if testing.Short() {
		engines = engines[:1]
	}
	for _, dir := range engines {
		got := decisions(t, root, dir, unchanged)
		want := decisions(t, root, dir, standard)
		if len(want) == 0 {
			t.Fatalf("%s: the compiler says nothing", dir)
		}
		for _, d := range slices.Sorted(maps.Keys(want)) {
			if !got[d] {
				t.Errorf("with the standard library, but not with internal/sched: %s", d)
			}
		}
	}
}

// The test fails if the compiler inlines more in the standard form of an engine.
func TestAMissingBodyIsFound(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	slow := func(source string) string {
		return strings.ReplaceAll(source, "\tsched.Signal(", "\tfunc() { recover() }()\n\tsched.Signal(")
	}
	if maps.Equal(decisions(t, root, engines[0], unchanged), decisions(t, root, engines[0], slow)) {
		t.Error("a difference is not seen")
	}
}

func unchanged(source string) string { return source }

// standard replaces internal/sched in a file of an engine by sync and sync/atomic, and
// keeps the line numbers.
func standard(source string) string {
	const sched = `"github.com/tandemgo/tandem/internal/sched"`
	if !strings.Contains(source, sched) {
		return source
	}
	source = strings.Replace(source, "import "+sched, "import ("+sched+")", 1)
	source = strings.Replace(source, sched, sched+`; "sync"; "sync/atomic"`, 1)
	for _, r := range []struct{ from, to string }{
		{`sched\.(Mutex|RWMutex)\b`, "sync.$1"},
		{`sched\.Counter\b`, "atomic.Uint64"},
		{`sched\.(Uint64|Bool|Pointer)\b`, "atomic.$1"},
		{`sched\.Err\((\w+)\)`, "$1.Err()"},
		{`sched\.Park\(([\w.]+)\)`, "<-$1"},
		{`sched\.Cancel\(([\w.]+)\)`, "$1()"},
		{`sched\.Opaque\(("[^"]*")\)`, ""},
		{`sched\.AfterFunc`, "context.AfterFunc"},
	} {
		source = regexp.MustCompile(r.from).ReplaceAllString(source, r.to)
	}
	return source + "\nvar _ sync.Mutex\nvar _ atomic.Bool\nvar _ = sched.Signal\n"
}

// decision finds the file and the text of a decision about the engine's own code.
var decision = regexp.MustCompile(`(?m)^\S*?(?:\d+-)?(\w+\.go:\d+):\d+: ((?:can inline|inlining call to) .*)$`)

// decisions returns the compiler's inlining decisions in a folder whose files are
// replaced by the results of change, including the instantiations of the tests.
func decisions(t *testing.T, root, dir string, change func(source string) string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	texts, own := map[string][]byte{}, map[string]bool{}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		texts[f], own[filepath.Base(f)] = []byte(change(string(source))), true
	}
	overlay, err := testprog.WriteOverlay(t.TempDir(), texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "test", "-c", "-o", os.DevNull, "-gcflags=-m", "-overlay", overlay, "./"+dir)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found := map[string]bool{}
	for _, m := range decision.FindAllStringSubmatch(string(out), -1) {
		if file, _, _ := strings.Cut(m[1], ":"); own[file] && !strings.Contains(m[2], "sched.") {
			found[dir+"/"+m[1]+": "+m[2]] = true
		}
	}
	return found
}
