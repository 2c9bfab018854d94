package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// Reasons say why a mutant may survive, by its key. In a file, the key is a line
// of its own, and the reason the indented lines below it; # begins a comment. A
// reason that begins with "equivalent:" says that no test can kill the mutant: it
// does not count.
type reasons map[string]string

const equivalent = "equivalent:"

func readReasons(path string) (reasons, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all := reasons{}
	key := ""
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		text := strings.TrimSpace(line)
		switch {
		case text == "" || strings.HasPrefix(line, "#"):
		case line[0] != '\t' && line[0] != ' ':
			if all.lacks(key) {
				return nil, fmt.Errorf("%s:%d: no reason for the one above", path, n)
			}
			if _, known := all[text]; known {
				return nil, fmt.Errorf("%s:%d: the second reason for %s", path, n, text)
			}
			key = text
			all[key] = ""
		case key == "":
			return nil, fmt.Errorf("%s:%d: a reason for nothing", path, n)
		default:
			all[key] = strings.TrimSpace(all[key] + " " + text)
		}
	}
	if all.lacks(key) {
		return nil, fmt.Errorf("%s: no reason for %s", path, key)
	}
	return all, lines.Err()
}

func (r reasons) lacks(key string) bool { return key != "" && r[key] == "" }

// isEquivalent reports whether the reason is that the mutant does the same.
func (r reasons) isEquivalent(key string) bool { return strings.HasPrefix(r[key], equivalent) }

// stale returns the keys of reasons for mutants of these packages that there are
// not, or not any more.
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
	return keys
}
