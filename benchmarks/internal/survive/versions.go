package survive

import (
	"fmt"
	"io"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
)

// modules are where the libraries come from. Those that are not in it are Tandem
// and what is written by hand.
var modules = map[string]string{
	"ants":        "github.com/panjf2000/ants/v2",
	"conc":        "github.com/sourcegraph/conc",
	"conc-iter":   "github.com/sourcegraph/conc",
	"conc-stream": "github.com/sourcegraph/conc",
	"cskr":        "github.com/cskr/pubsub/v2",
	"dustin":      "github.com/dustin/go-broadcast",
	"errgroup":    "golang.org/x/sync",
	"failsafe":    "github.com/failsafe-go/failsafe-go",
	"go-limiter":  "github.com/sethvargo/go-limiter",
	"juju":        "github.com/juju/ratelimit",
	"k8s":         "k8s.io/apimachinery",
	"lo":          "github.com/samber/lo",
	"pond":        "github.com/alitto/pond/v2",
	"ro":          "github.com/samber/ro",
	"semaphore":   "golang.org/x/sync",
	"uber":        "go.uber.org/ratelimit",
	"workerpool":  "github.com/gammazero/workerpool",
	"xtime":       "golang.org/x/time",
}

// Versions writes the modules of the libraries with the versions that are linked
// into this program.
func Versions(w io.Writer) error {
	versions := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			versions[m.Path] = m.Version
		}
	}
	peers := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		peers[modules[name]] = append(peers[modules[name]], name)
	}
	var b strings.Builder
	b.WriteString("| Library | Module | Version |\n|---|---|---|\n")
	paths := slices.SortedFunc(maps.Keys(peers), func(p, q string) int { return strings.Compare(peers[p][0], peers[q][0]) })
	for _, path := range paths {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", strings.Join(peers[path], ", "), path, versions[path])
	}
	_, err := io.WriteString(w, b.String())
	return err
}
