// Package machine says where figures come from: the machine, the toolchain, the
// state of the tree and the versions of the libraries. It writes that as lines of
// Go's benchmark format, so that raw output carries it along.
package machine

import (
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
)

// Facts is where figures come from. What is not known is empty.
type Facts struct {
	Date    string
	Command string
	Commit  string // with a word if the tree was changed
	Go      string
	CPU     string // package testing says it, as the two below it
	GOOS    string
	GOARCH  string
	OS      string // name of the distribution
	Cores   string
	Modules []Module
}

// A Module is where a library comes from.
type Module struct{ Lib, Path, Version string }

// modulePrefix begins the key of the module of a library.
const modulePrefix = "module-"

// keys has the lines that are written and read alike.
func (f *Facts) keys() []struct {
	key   string
	value *string
} {
	return []struct {
		key   string
		value *string
	}{
		{"date", &f.Date}, {"command", &f.Command}, {"commit", &f.Commit}, {"go-version", &f.Go},
		{"os", &f.OS}, {"cores", &f.Cores},
		{"cpu", &f.CPU}, {"goos", &f.GOOS}, {"goarch", &f.GOARCH},
	}
}

// Write writes what there is to know as configuration lines.
func (f Facts) Write(w io.Writer) error {
	for _, k := range f.keys() {
		if *k.value != "" {
			if _, err := fmt.Fprintf(w, "%s: %s\n", k.key, *k.value); err != nil {
				return err
			}
		}
	}
	for _, m := range f.Modules {
		if _, err := fmt.Fprintf(w, "%s%s: %s %s\n", modulePrefix, m.Lib, m.Path, m.Version); err != nil {
			return err
		}
	}
	return nil
}

// FromConfig reads what Write has written. Other lines are ignored.
func FromConfig(config iter.Seq2[string, string]) Facts {
	var f Facts
	for key, value := range config {
		if lib, ok := strings.CutPrefix(key, modulePrefix); ok {
			path, version, _ := strings.Cut(value, " ")
			f.Modules = append(f.Modules, Module{lib, path, version})
			continue
		}
		for _, k := range f.keys() {
			if k.key == key {
				*k.value = value
			}
		}
	}
	slices.SortFunc(f.Modules, func(a, b Module) int { return strings.Compare(a.Lib, b.Lib) })
	return f
}
