// Package inlining guards what the compiler inlines in engines that are built on
// internal/sched: what it would inline if they used sync and sync/atomic themselves.
package inlining

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engines are the folders whose packages are built on internal/sched.
var engines = []string{"broadcast", "fan", "ratelimit", "pool", "internal/taskpool", "internal/taskctx"}

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
		got := decisions(t, root, dir, nil)
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

// What is compiled in the place of an engine fails the test if it inlines more.
func TestAMissingBodyIsFound(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	slow := func(source string) string {
		return strings.ReplaceAll(source, "\tsched.Signal(", "\tfunc() { recover() }()\n\tsched.Signal(")
	}
	if maps.Equal(decisions(t, root, engines[0], nil), decisions(t, root, engines[0], slow)) {
		t.Error("a difference is not seen")
	}
}

// standard replaces internal/sched in a file of an engine, and keeps its lines.
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

var decision = regexp.MustCompile(`^([\w/]+\.go:\d+):\d+: ((?:can inline|inlining call to) .*)$`)

// decisions returns what the compiler says that it inlines in a folder, in its files as
// change makes them, with the instantiations of the tests.
func decisions(t *testing.T, root, dir string, change func(source string) string) map[string]bool {
	t.Helper()
	temp := t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") || change == nil {
			continue
		}
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		overlay.Replace[f] = filepath.Join(temp, filepath.Base(f))
		if err := os.WriteFile(overlay.Replace[f], []byte(change(string(source))), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(temp, "overlay.json"), text, 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "test", "-c", "-o", os.DevNull, "-gcflags=-m", "-overlay", filepath.Join(temp, "overlay.json"), "./"+dir)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		line = strings.ReplaceAll(strings.TrimSpace(line), filepath.ToSlash(temp)+"/", dir+"/")
		m := decision.FindStringSubmatch(line)
		if m == nil || strings.Contains(m[1], "_test.go:") || strings.Contains(m[2], "sched.") || !strings.HasPrefix(m[1], dir+"/") {
			continue
		}
		found[fmt.Sprintf("%s: %s", m[1], m[2])] = true
	}
	return found
}
