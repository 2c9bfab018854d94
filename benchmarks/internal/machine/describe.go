package machine

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/tandemgo/tandem/benchmarks/work"
)

// Describe returns the facts of now and here. What they do not tell, as the
// commit outside of a repository, is left empty. The processor's model is not
// among them, as the benchmarks print it.
func Describe(ctx context.Context, command string) Facts {
	return Facts{
		Date:    time.Now().UTC().Format("2006-01-02 15:04 UTC"),
		Command: command,
		Commit:  commit(ctx),
		Go:      runtime.Version(),
		OS:      distribution("/etc/os-release"),
		Cores:   cores(),
		Modules: modules(),
	}
}

func cores() string {
	if n := runtime.GOMAXPROCS(0); n != runtime.NumCPU() {
		return fmt.Sprintf("%d of %d", n, runtime.NumCPU())
	}
	return fmt.Sprint(runtime.NumCPU())
}

func commit(ctx context.Context) string {
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "git", args...).Output()
		return strings.TrimSpace(string(out)), err
	}
	hash, err := git("rev-parse", "--short=12", "HEAD")
	if err != nil {
		return ""
	}
	// What a report writes is no change of what it measures.
	changes, err := git("status", "--porcelain", "--", ":/", ":(exclude)RESULTS.md", ":(exclude)charts")
	switch {
	case err != nil:
		return hash
	case changes != "":
		return hash + ", and the tree was changed"
	}
	return hash
}

// distribution returns the name in a file like /etc/os-release.
func distribution(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "PRETTY_NAME="); ok {
			return strings.Trim(name, `"'`)
		}
	}
	return ""
}

// modules returns the modules of all peers that have one, by the versions that
// are linked into this program; the benchmarks are built from the same go.mod.
func modules() []Module {
	versions := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			versions[m.Path] = m.Version
			if m.Replace != nil {
				versions[m.Path] = m.Replace.Version + " (replaced)"
			}
		}
	}
	var ms []Module
	for _, p := range work.Peers(func(p work.Peer) bool { return p.Module != "" }) {
		ms = append(ms, Module{p.Name, p.Module, versions[p.Module]})
	}
	return ms
}
