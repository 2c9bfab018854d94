package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/exp/apidiff"
	"golang.org/x/tools/go/packages"
)

// compare returns how the API of the released modules differs between two trees, which
// are absolute paths.
func compare(ctx context.Context, old, now string) ([]apidiff.Change, error) {
	var later [2]map[string]string // the files that only a later Go builds
	for i, root := range []string{old, now} {
		var err error
		if later[i], err = laterFiles(root); err != nil {
			return nil, err
		}
	}
	changes := compareLater(functions(old, later[0]), functions(now, later[1]))
	inside := map[string]bool{} // what adapters of the old tree import of internal
	// The root comes last: by then it is known what adapters import.
	for _, m := range slices.Backward(released) {
		// What others can import, and what adapters do.
		var public, shared [2]*apidiff.Module
		for i, root := range []string{old, now} {
			public[i], shared[i] = &apidiff.Module{Path: m.path()}, &apidiff.Module{Path: m.path()}
			if !m.there(root) {
				continue
			}
			pkgs, err := load(ctx, root, m, without(later[i]))
			if err != nil {
				return nil, err
			}
			for _, pkg := range pkgs {
				switch {
				case inside[pkg.PkgPath]:
					shared[i].Packages = append(shared[i].Packages, pkg.Types)
				case visible(pkg):
					public[i].Packages = append(public[i].Packages, pkg.Types)
				}
				if m == "." || root != old {
					continue
				}
				for imported := range pkg.Imports {
					if strings.HasPrefix(imported, rootPath+"/internal/") {
						inside[imported] = true
					}
				}
			}
		}
		changes = append(changes, apidiff.ModuleChanges(public[0], public[1]).Changes...)
		for _, c := range apidiff.ModuleChanges(shared[0], shared[1]).Changes {
			if !c.Compatible { // what is added there is of no use to others
				changes = append(changes, c)
			}
		}
	}
	return changes, nil
}

// visible reports whether others can import the package.
func visible(pkg *packages.Package) bool {
	return pkg.Name != "main" && importable(pkg.PkgPath)
}

// importable reports whether others can import what is in a directory.
func importable(dir string) bool { return !slices.Contains(strings.Split(dir, "/"), "internal") }

// load returns the packages of a module, with their types, and with other text in
// the files of the overlay.
func load(ctx context.Context, root string, m module, overlay map[string][]byte) ([]*packages.Package, error) {
	pkgs, err := packages.Load(&packages.Config{
		Context: ctx,
		Mode:    packages.NeedName | packages.NeedTypes | packages.NeedImports,
		Dir:     filepath.Join(root, filepath.FromSlash(string(m))),
		Overlay: overlay,
		Env:     append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly"),
	}, "./...")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m, err)
	}
	var errs []error
	for _, pkg := range pkgs {
		for _, err := range pkg.Errors {
			errs = append(errs, fmt.Errorf("%s: %w", pkg.PkgPath, err))
		}
	}
	return pkgs, errors.Join(errs...)
}
