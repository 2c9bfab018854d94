package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/exp/apidiff"
)

// A plan is what is known of a release before it is made.
type plan struct {
	version string
	last    string // the release before it, or ""
	changes []apidiff.Change
	// problems are what stands in its way, and mend the commands that help.
	problems, mend []string
}

func (p *plan) amiss(format string, args ...any) {
	p.problems = append(p.problems, fmt.Sprintf(format, args...))
}

// examine looks at the repository that dir is in.
func examine(ctx context.Context, dir, version string) (*plan, error) {
	r, err := open(ctx, dir)
	if err != nil {
		return nil, err
	}
	tags, err := r.tags(ctx)
	if err != nil {
		return nil, err
	}
	p := &plan{version: version}
	var allowed level
	if p.last, allowed, err = step(tags, version); err != nil {
		p.amiss("%v", err)
		return p, nil // whatever else there is would be asked about another version
	}
	for _, m := range released {
		if tag := m.tag(version); slices.Contains(tags, tag) {
			p.amiss("the tag %s is there already", tag)
		}
	}
	if err := p.checkTree(ctx, r); err != nil {
		return nil, err
	}
	if err := p.checkModules(r.root); err != nil {
		return nil, err
	}
	needed := patch
	if p.last != "" {
		old, remove, err := r.at(ctx, p.last)
		if err != nil {
			return nil, err
		}
		defer remove()
		if p.changes, err = compare(ctx, old, r.root); err != nil {
			return nil, err
		}
		if needed, err = p.needed(old, r.root); err != nil {
			return nil, err
		}
		if needed > allowed {
			p.amiss("what has changed since %s makes it a %v version, %s", p.last, needed, next(p.last, needed))
		}
	}
	text, err := os.ReadFile(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return nil, err
	}
	kinds, problems := readChangelog(string(text), version)
	p.problems = append(p.problems, problems...)
	if len(problems) == 0 && slices.ContainsFunc(p.changes, breaks) &&
		!slices.Contains(kinds, "Changed") && !slices.Contains(kinds, "Removed") {
		p.amiss("CHANGELOG.md: the API breaks, and there is neither Changed nor Removed under %s", version)
	}
	return p, nil
}

// checkTree sees to it that what is tagged is what is looked at.
func (p *plan) checkTree(ctx context.Context, r repository) error {
	branch, err := r.git(ctx, "branch", "--show-current")
	if err != nil {
		return err
	}
	if branch != "main" {
		p.amiss("the branch is %q, and releases are made on main", branch)
	}
	status, err := r.git(ctx, "status", "--porcelain")
	if err != nil {
		return err
	}
	if status != "" {
		p.amiss("not everything is committed:\n%s", status)
	}
	return nil
}

// needed returns the least level that the changes since the last release, which is in
// the directory old, are allowed in.
func (p *plan) needed(old, now string) (level, error) {
	then, err := goLine(old)
	if err != nil {
		return 0, err
	}
	here, err := goLine(now)
	if err != nil {
		return 0, err
	}
	switch {
	case slices.ContainsFunc(p.changes, breaks) && stable(p.last):
		return major, nil
	case len(p.changes) > 0 || then != here:
		return minor, nil
	}
	return patch, nil
}

func breaks(c apidiff.Change) bool { return !c.Compatible }

// write prints the plan: what is amiss, or how the release is made.
func (p *plan) write(w io.Writer) {
	switch {
	case p.last == "":
		fmt.Fprintln(w, "there is no release yet")
	case len(p.changes) == 0:
		fmt.Fprintf(w, "the API is that of %s\n", p.last)
	default:
		fmt.Fprintf(w, "the API since %s:\n", p.last)
	}
	for _, c := range p.changes {
		kind := "added or widened"
		if breaks(c) {
			kind = "breaks"
		}
		fmt.Fprintf(w, "  %s: %s\n", kind, c.Message)
	}
	if len(p.problems) > 0 {
		fmt.Fprintf(w, "\n%s can't be released yet:\n", p.version)
		for _, problem := range p.problems {
			fmt.Fprintf(w, "- %s\n", strings.ReplaceAll(problem, "\n", "\n  "))
		}
		if len(p.mend) > 0 {
			fmt.Fprintf(w, "\nThis writes the go.mod files:\n\n%s", indent(p.mend))
		}
		return
	}
	fmt.Fprintf(w, "\n%s is ready. If .ci/run has passed on this very commit:\n\n%s", p.version, indent(commands(p.version)))
}

func indent(lines []string) string {
	return "    " + strings.Join(lines, "\n    ") + "\n"
}

// commands returns what makes the release of a tree that is ready for it.
func commands(version string) []string {
	var tag, tags, get []string
	for _, m := range released {
		name := m.tag(version)
		tag = append(tag, fmt.Sprintf("git tag -a %s -m %s", name, name))
		tags = append(tags, name)
		get = append(get, m.path()+"@"+version)
	}
	// All at once: a proxy that is asked for an adapter finds the root.
	lines := append(tag, "git push --atomic origin main "+strings.Join(tags, " "))
	return append(lines,
		`cd "$(mktemp -d)" && export GOWORK=off && go mod init example.com/try`,
		"go get "+strings.Join(get, " "),
		`go build $(go list github.com/tandemgo/tandem/... | grep -v /internal/)`)
}
