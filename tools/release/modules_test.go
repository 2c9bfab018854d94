package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const top = "../.."

// Each module is released or is not; there is no other.
func TestEveryModuleIsKnown(t *testing.T) {
	all, err := workspace(top)
	if err != nil {
		t.Fatal(err)
	}
	known := slices.Concat(released, unreleased)
	slices.Sort(all)
	slices.Sort(known)
	if diff := cmp.Diff(known, all); diff != "" {
		t.Errorf("modules.go (-) and go.work (+):\n%s", diff)
	}
}

// Dependabot keeps the requirements of each module.
func TestDependabotKnowsEveryModule(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top, ".github", "dependabot.yml"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := workspace(top)
	if err != nil {
		t.Fatal(err)
	}
	var listed []module
	for _, m := range regexp.MustCompile(`(?m)^      - /(.*)$`).FindAllSubmatch(text, -1) {
		listed = append(listed, module(filepath.ToSlash(filepath.Clean(string(m[1])))))
	}
	slices.Sort(all)
	slices.Sort(listed)
	if diff := cmp.Diff(all, listed); diff != "" {
		t.Errorf("go.work (-) and dependabot.yml (+):\n%s", diff)
	}
}

// CONTRIBUTING says what is released, under which tags, and what is not.
func TestContributingNamesEveryModule(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Releases\n")
	listed, _, _ := strings.Cut(section, " are never tagged")
	rows, others, _ := strings.Cut(listed, "\n\n`")
	for _, m := range released {
		if !strings.Contains(rows, "| `"+m.path()+"` ") || !strings.Contains(rows, "| `"+m.tag("v0.2.0")+"` ") {
			t.Errorf("%s is not in the table", m)
		}
	}
	var names []module
	for _, m := range regexp.MustCompile("[a-z/]+`").FindAllString(others, -1) {
		names = append(names, module(strings.TrimSuffix(m, "`")))
	}
	slices.Sort(names)
	if diff := cmp.Diff(unreleased, names); diff != "" {
		t.Errorf("modules.go (-) and those that are never tagged (+):\n%s", diff)
	}
}

// The API of this repository can be read, each package has a record of it, and it is
// like itself.
func TestCompareWithItself(t *testing.T) {
	if testing.Short() {
		t.Skip("builds everything")
	}
	root, err := filepath.Abs(top)
	if err != nil {
		t.Fatal(err)
	}
	pkgs, err := load(t.Context(), root, ".", nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, pkg := range pkgs {
		if visible(pkg) {
			names = append(names, strings.ReplaceAll(pkg.PkgPath[len(rootPath)+1:], "/", "_")+".go.txt")
		}
	}
	records, err := os.ReadDir(filepath.Join(top, "internal", "apiguard", "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	var recorded []string
	for _, r := range records {
		recorded = append(recorded, r.Name())
	}
	slices.Sort(names)
	if diff := cmp.Diff(recorded, names); diff != "" {
		t.Errorf("records of internal/apiguard (-) and packages (+):\n%s", diff)
	}
	if changes, err := compare(t.Context(), root, root); err != nil || len(changes) > 0 {
		t.Errorf("%v, %v", changes, err)
	}
}
