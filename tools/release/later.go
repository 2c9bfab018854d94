package main

import (
	"fmt"
	"go/build"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/exp/apidiff"
)

// What only a later Go than that of the go line builds, such as methods with type
// parameters of their own, is compared as text: the Go that runs this program need not
// know it, and apidiff does not get to an end of types whose methods make ever more
// types. Such files hold functions alone.

// laterFiles returns those files of the tree below root, with what is in them.
func laterFiles(root string) (map[string]string, error) {
	line, err := goLine(root)
	if err != nil {
		return nil, err
	}
	now, later := build.Default, build.Default
	// Of go1.1, go1.2 and so on, those up to the go line, and more than there are.
	now.ReleaseTags, later.ReleaseTags = nil, nil
	for i := range 1000 {
		tag := fmt.Sprintf("go1.%d", i)
		later.ReleaseTags = append(later.ReleaseTags, tag)
		if !slices.Contains(now.ReleaseTags, "go"+language(line)) {
			now.ReleaseTags = append(now.ReleaseTags, tag)
		}
	}
	files := map[string]string{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (name == "testdata" || strings.HasPrefix(name, ".")) {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		dir := filepath.Dir(path)
		if ok, err := now.MatchFile(dir, name); ok || err != nil {
			return err
		}
		if ok, err := later.MatchFile(dir, name); !ok || err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		files[path] = string(text)
		return err
	})
	return files, err
}

// language returns the version of the language of a go line: 1.26 of 1.26.0.
func language(line string) string {
	parts := strings.SplitN(line, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

var (
	packageClause = regexp.MustCompile(`(?m)^package \w+`)
	function      = regexp.MustCompile(`(?m)^func (?:\((?:\w+ )?\*?(\w+)[^)]*\) )?([A-Z]\w*).*$`)
)

// without returns the files as an overlay, with nothing in them.
func without(files map[string]string) map[string][]byte {
	empty := map[string][]byte{}
	for path, text := range files {
		empty[path] = []byte(packageClause.FindString(text) + "\n")
	}
	return empty
}

// functions returns the exported functions and methods in the files that others can
// import, by directory and name.
func functions(root string, files map[string]string) map[string]string {
	all := map[string]string{}
	for path, text := range files {
		dir, err := filepath.Rel(root, filepath.Dir(path))
		dir = filepath.ToSlash(dir)
		if err != nil || !importable(dir) || packageClause.FindString(text) == "package main" {
			continue
		}
		for _, m := range function.FindAllStringSubmatch(text, -1) {
			signature, _, _ := strings.Cut(m[0], " {")
			all[strings.TrimPrefix(dir+"."+m[1]+"."+m[2], ".")] = signature
		}
	}
	return all
}

// compareLater returns how what only a later Go builds differs between two trees.
func compareLater(old, now map[string]string) (changes []apidiff.Change) {
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if _, ok := now[name]; !ok {
			changes = append(changes, apidiff.Change{Message: name + ", of a later Go: removed"})
		} else if old[name] != now[name] {
			changes = append(changes, apidiff.Change{
				Message: fmt.Sprintf("%s, of a later Go: changed from %s to %s", name, old[name], now[name])})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if _, ok := old[name]; !ok {
			changes = append(changes, apidiff.Change{Message: name + ", of a later Go: added", Compatible: true})
		}
	}
	return changes
}
