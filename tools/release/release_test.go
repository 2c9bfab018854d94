// Package release checks that every module of the workspace can be released as README.md
// describes.
package release

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/modfile"
)

const (
	top      = "../.."
	rootPath = "github.com/tandemgo/tandem"
)

func read(t *testing.T, names ...string) (path string, text []byte) {
	t.Helper()
	path = filepath.Join(append([]string{top}, names...)...)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, text
}

// workspace returns the folders of the modules in go.work.
func workspace(t *testing.T) (all []string) {
	t.Helper()
	name, text := read(t, "go.work")
	work, err := modfile.ParseWork(name, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, use := range work.Use {
		all = append(all, path.Clean(use.Path))
	}
	slices.Sort(all)
	return all
}

func matches(text []byte, pattern string) (all []string) {
	for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
		all = append(all, path.Clean(string(m[1])))
	}
	return all
}

// tagged returns the folders of the modules in the table of README.md.
func tagged(t *testing.T) []string {
	t.Helper()
	_, text := read(t, "tools", "release", "README.md")
	return matches(text, "(?m)^\\| `"+rootPath+"/?([a-z/]*)` +\\| `(?:[a-z/]+/)?v0\\.2\\.0` +\\|$")
}

func TestREADMEAndDependabotNameEveryModule(t *testing.T) {
	_, text := read(t, "tools", "release", "README.md")
	_, never, _ := strings.Cut(string(text), "\nNever tagged: ")
	never, _, _ = strings.Cut(never, ".\n")
	named := append(tagged(t), matches([]byte(never), "`([a-z/]+)`")...)
	slices.Sort(named)
	if diff := cmp.Diff(workspace(t), named); diff != "" {
		t.Errorf("go.work (-) and README.md (+):\n%s", diff)
	}
	_, text = read(t, ".github", "dependabot.yml")
	if diff := cmp.Diff(workspace(t), matches(text, `(?m)^      - /(.*)$`)); diff != "" {
		t.Errorf("go.work (-) and dependabot.yml (+):\n%s", diff)
	}
}

// All modules have the go line of the root. A tagged module replaces only the root, and
// requires no other module of this repository: a replacement does not apply to its users.
func TestUsersGetWhatIsTested(t *testing.T) {
	goLine := ""
	for _, m := range workspace(t) {
		name, text := read(t, filepath.FromSlash(m), "go.mod")
		f, err := modfile.Parse(name, text, nil)
		if err != nil {
			t.Fatal(err)
		}
		if m == "." {
			goLine = f.Go.Version
		}
		if f.Go.Version != goLine {
			t.Errorf("%s: the go line is %s, want %s", name, f.Go.Version, goLine)
		}
		if !slices.Contains(tagged(t), m) {
			continue
		}
		for _, r := range f.Replace {
			if r.Old.Path != rootPath || path.Join(m, r.New.Path) != "." {
				t.Errorf("%s replaces %s by %s", name, r.Old.Path, r.New.Path)
			}
		}
		for _, r := range f.Require {
			if strings.HasPrefix(r.Mod.Path, rootPath+"/") {
				t.Errorf("%s requires %s", name, r.Mod.Path)
			}
		}
	}
}
