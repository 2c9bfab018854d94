package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// A repository is a clone with its work tree.
type repository struct{ root string }

// open finds the repository that dir is in.
func open(ctx context.Context, dir string) (repository, error) {
	root, err := repository{dir}.git(ctx, "rev-parse", "--show-toplevel")
	return repository{root}, err
}

// git returns what a command of git prints.
func (r repository) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = r.root
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, errs.String())
	}
	return strings.TrimRight(string(out), "\n"), nil
}

func (r repository) tags(ctx context.Context) ([]string, error) {
	out, err := r.git(ctx, "tag", "--list")
	return strings.Fields(out), err
}

// at returns a directory with the tree of a tag, which remove removes.
func (r repository) at(ctx context.Context, tag string) (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "release-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(dir) }
	if _, err := r.git(ctx, "-c", "advice.detachedHead=false", "clone", "--quiet", "--shared", "--branch", tag, r.root, dir); err != nil {
		remove()
		return "", nil, err
	}
	return dir, remove, nil
}
