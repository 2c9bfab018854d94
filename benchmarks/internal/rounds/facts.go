package rounds

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"time"

	"github.com/tandemgo/tandem/benchmarks/internal/results"
	"github.com/tandemgo/tandem/benchmarks/work"
)

// Describe writes the origin of the figures in Go's benchmark format: the command, the
// commit, the machine, and the modules of the libraries with the versions linked into
// this program, which is built from the same go.mod. It leaves out facts that it cannot
// get. The benchmarks print the processor's model themselves.
func Describe(ctx context.Context, out io.Writer, command string) error {
	commit, _ := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*").Output()
	system := runtime.GOOS
	release, _ := os.ReadFile("/etc/os-release")
	if m := regexp.MustCompile(`(?m)^PRETTY_NAME="?([^"\n]*)`).FindSubmatch(release); m != nil {
		system = string(m[1])
	}
	_, err := fmt.Fprintf(out, "date: %s\ncommand: %s\ncommit: %s\ngo-version: %s\nos: %s\ncores: %d\n",
		time.Now().UTC().Format("2006-01-02 15:04 UTC"), command, commit, runtime.Version(), system, runtime.NumCPU())
	modules := work.Modules()
	for _, peer := range slices.Sorted(maps.Keys(modules)) {
		fmt.Fprintf(out, "%s%s: %s\n", results.ModuleKey, peer, modules[peer])
	}
	return err
}
