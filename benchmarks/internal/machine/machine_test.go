package machine_test

import (
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/internal/machine"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	f := machine.Facts{
		Date: "today", Command: "go run x -bench 'a|b: c'", Commit: "abc, and the tree was changed",
		Go: "go1.26.8", CPU: "some", GOOS: "linux", GOARCH: "amd64", OS: "Debian", Cores: "2",
		Modules: []machine.Module{{"ants", "example.com/ants", "v1.0.0"}, {"k8s-watch", "k8s.io/x", "v0.1.0"}},
	}
	var text strings.Builder
	if err := f.Write(&text); err != nil {
		t.Fatal(err)
	}
	config := map[string]string{"round": "1"}
	for line := range strings.Lines(text.String()) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		config[key] = value
	}
	if got := machine.FromConfig(maps.All(config)); !reflect.DeepEqual(got, f) {
		t.Errorf("got %+v, want %+v", got, f)
	}
}

func TestDescribesThisMachine(t *testing.T) {
	f := machine.Describe(t.Context(), "a command")
	if f.Command != "a command" || f.Date == "" || !strings.HasPrefix(f.Go, "go") && !strings.HasPrefix(f.Go, "devel") || f.Cores == "" {
		t.Errorf("got %+v", f)
	}
}
