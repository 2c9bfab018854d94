package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

const rootPath = "github.com/tandemgo/tandem"

// A module is named by its directory, with slashes, from the root.
type module string

// released are the modules that are tagged, the root first; unreleased are those that
// never are: nobody imports them.
var (
	released   = []module{".", "ratelimit/grpclimit", "ratelimit/redislimit", "broadcast/natscast", "pool/natspool"}
	unreleased = []module{"benchmarks", "examples", "examples/cluster", "examples/sqlite", "integration", "proofs", "tools"}
)

// path returns the module path.
func (m module) path() string { return path.Join(rootPath, string(m)) }

// tag returns the tag of a version: that of a nested module begins with its directory.
func (m module) tag(version string) string { return path.Join(string(m), version) }

// file returns the go.mod below root.
func (m module) file(root string) (*modfile.File, error) {
	name := filepath.Join(root, filepath.FromSlash(string(m)), "go.mod")
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return modfile.Parse(name, data, nil)
}

// there reports whether a tree has the module.
func (m module) there(root string) bool {
	_, err := os.Stat(filepath.Join(root, filepath.FromSlash(string(m)), "go.mod"))
	return err == nil
}

// goLine returns the version of Go that the root asks for.
func goLine(root string) (string, error) {
	f, err := module(".").file(root)
	if err != nil {
		return "", err
	}
	return f.Go.Version, nil
}

// workspace returns the modules of go.work.
func workspace(root string) ([]module, error) {
	name := filepath.Join(root, "go.work")
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	work, err := modfile.ParseWork(name, data, nil)
	if err != nil {
		return nil, err
	}
	var all []module
	for _, use := range work.Use {
		all = append(all, module(path.Clean(use.Path)))
	}
	return all, nil
}

// checkModules looks at the go.mod of each module.
func (p *plan) checkModules(root string) error {
	all, err := workspace(root)
	if err != nil {
		return err
	}
	want, err := goLine(root)
	if err != nil {
		return err
	}
	var edit, tidy []string
	for _, m := range all {
		f, err := m.file(root)
		if err != nil {
			return err
		}
		adapter := m != "." && slices.Contains(released, m)
		switch {
		case m == ".":
			continue
		case adapter:
			p.checkAdapter(m, f)
		case !slices.Contains(unreleased, m):
			p.amiss("tools/release does not know whether %s is released", m)
			continue
		case !slices.ContainsFunc(f.Require, func(r *modfile.Require) bool { return isAdapter(r.Mod.Path) }):
			continue // the root that it requires is replaced, whatever the version
		}
		if f.Go.Version != want {
			p.amiss("%s/go.mod is for Go %s, the root for %s", m, f.Go.Version, want)
		}
		if v := required(f, rootPath); v != p.version {
			p.amiss("%s/go.mod requires the root at %q", m, v)
			tidy = append(tidy, fmt.Sprintf("(cd %s && GOWORK=off go mod tidy)", m))
			if adapter {
				edit = append(edit, fmt.Sprintf("go mod edit -require=%s@%s %s/go.mod", rootPath, p.version, m))
			}
		}
	}
	for _, m := range released {
		if !slices.Contains(all, m) {
			p.amiss("go.work has no %s", m)
		}
	}
	p.mend = append(edit, tidy...)
	return nil
}

// checkAdapter sees to it that who gets the module gets what has been tested: a
// replacement is for this repository only.
func (p *plan) checkAdapter(m module, f *modfile.File) {
	up := strings.Repeat("../", strings.Count(string(m), "/")+1)
	for _, r := range f.Replace {
		if r.Old.Path != rootPath || path.Clean(r.New.Path) != path.Clean(up) {
			p.amiss("%s/go.mod replaces %s by %s, which nobody else would get", m, r.Old.Path, r.New.Path)
		}
	}
	for _, r := range f.Require {
		if strings.HasPrefix(r.Mod.Path, rootPath+"/") {
			p.amiss("%s/go.mod requires %s: an adapter builds on the root alone", m, r.Mod.Path)
		}
	}
}

func isAdapter(modulePath string) bool {
	return modulePath != rootPath && slices.ContainsFunc(released, func(m module) bool { return m.path() == modulePath })
}

// required returns the version of a module that f requires, or "".
func required(f *modfile.File, modulePath string) string {
	for _, r := range f.Require {
		if r.Mod.Path == modulePath {
			return r.Mod.Version
		}
	}
	return ""
}
