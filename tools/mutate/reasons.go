package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// reasons has the reasons why mutants may survive, by key. In a file, the key is a line
// of its own, and the reason the indented lines below it; # begins a comment. A reason
// that begins with "equivalent:" means that no test can kill the mutant, which then
// does not count.
type reasons map[string]string

const equivalent = "equivalent:"

func readReasons(path string) (reasons, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	all := reasons{}
	for _, m := range regexp.MustCompile(`(?m)^([^\s#].*)\n((?:[ \t].*\n)*)`).FindAllSubmatch(text, -1) {
		key, reason := string(m[1]), strings.Join(strings.Fields(string(m[2])), " ")
		if _, known := all[key]; known || reason == "" {
			return nil, fmt.Errorf("%s: no reason, or a second one, for %s", path, key)
		}
		all[key] = reason
	}
	return all, nil
}

// isEquivalent reports whether the reason is that the mutant behaves like the original.
func (r reasons) isEquivalent(key string) bool { return strings.HasPrefix(r[key], equivalent) }

// stale returns the keys of reasons for mutants of these packages that do not exist.
func (r reasons) stale(sources []*source, mutants []*mutant) []string {
	made := map[string]bool{}
	for _, m := range mutants {
		made[m.key] = true
	}
	var keys []string
	for key := range r {
		for _, s := range sources {
			if strings.HasPrefix(key, s.path+" ") && !made[key] {
				keys = append(keys, key)
			}
		}
	}
	slices.Sort(keys)
	return keys
}
