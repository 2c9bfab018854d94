package main

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// A level is the part of a version that a release raises.
type level int

const (
	patch level = iota
	minor
	major
)

func (l level) String() string { return [...]string{"patch", "minor", "major"}[l] }

// next returns the version that raises a part of v.
func next(v string, l level) string {
	n := numbers(v)
	switch l {
	case patch:
		n[2]++
	case minor:
		n[1], n[2] = n[1]+1, 0
	case major:
		n = [3]int{n[0] + 1}
	}
	return fmt.Sprintf("v%d.%d.%d", n[0], n[1], n[2])
}

// stable reports whether v promises what version 1 does.
func stable(v string) bool { return numbers(v)[0] > 0 }

// isVersion reports whether all of v is written out; no build of it is named.
func isVersion(v string) bool { return semver.IsValid(v) && v == semver.Canonical(v) }

func numbers(v string) (n [3]int) {
	fmt.Sscanf(v, "v%d.%d.%d", &n[0], &n[1], &n[2]) // v is valid
	return n
}

// step returns the last release among the tags of a repository, and what part of it
// the version raises. What came before releases, such as v1.0.0-rc.1, has promised
// nothing, and nothing is compared with it.
func step(tags []string, version string) (last string, l level, err error) {
	switch {
	case !isVersion(version):
		return "", 0, fmt.Errorf("a version is written as v1.2.3 or v1.2.3-rc.1, got %q", version)
	case numbers(version)[0] > 1:
		return "", 0, fmt.Errorf("%s: from version 2 on all import paths end in /v2, and tools/release has to know them", version)
	}
	tags = slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return !isVersion(tag) })
	semver.Sort(tags)
	if len(tags) > 0 && semver.Compare(version, tags[len(tags)-1]) <= 0 {
		return "", 0, fmt.Errorf("%s does not come after %s, which is there", version, tags[len(tags)-1])
	}
	core := strings.TrimSuffix(version, semver.Prerelease(version))
	tags = slices.DeleteFunc(tags, func(tag string) bool { return semver.Prerelease(tag) != "" })
	if len(tags) == 0 {
		if core != "v0.1.0" && core != "v1.0.0" {
			return "", 0, fmt.Errorf("the first version is v0.1.0 or v1.0.0, got %s", version)
		}
		return "", major, nil
	}
	last = tags[len(tags)-1]
	for _, l := range []level{patch, minor, major} {
		if core == next(last, l) {
			return last, l, nil
		}
	}
	return "", 0, fmt.Errorf("after %s comes %s, %s or %s, got %s",
		last, next(last, patch), next(last, minor), next(last, major), version)
}
