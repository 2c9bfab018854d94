package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A tree is a small repository like this one, by file.
type tree struct {
	t   *testing.T
	dir string
}

const changelog = `# Changelog

## Unreleased

## 0.1.0 - 2026-12-01

### Added

- everything
`

// later is what only Go 1.27 builds: a method that has ever more types in its results.
const later = `//go:build go1.27

package pool

func (s Set[T]) Map[U any](fn func(T) U) Set[Set[U]] { return Set[Set[U]]{} }
`

// plant makes a tree that is ready for v0.1.0.
func plant(t *testing.T) tree {
	t.Helper()
	x := tree{t, t.TempDir()}
	x.git("init", "--quiet", "--initial-branch", "main")
	x.write("go.mod", "module github.com/tandemgo/tandem\n\ngo 1.26.0\n")
	x.write("pool/pool.go", "package pool\n\nimport \"context\"\n\nfunc Go(context.Context) error { return nil }\n")
	x.write("internal/word/word.go", "package word\n\nconst Word = \"a\"\n\nfunc Unused() {}\n")
	x.write("internal/alone/alone.go", "package alone\n\nfunc F() {}\n")
	x.write("pool/set.go", "package pool\n\ntype Set[T any] struct{ all []T }\n")
	x.write("pool/set_go127.go", later)
	x.write("CHANGELOG.md", changelog)
	var work strings.Builder
	work.WriteString("go 1.26.0\n\nuse (\n\t.\n\t./integration\n")
	for _, m := range released[1:] {
		fmt.Fprintf(&work, "\t./%s\n", m)
		x.requires(m, "v0.1.0")
	}
	x.write("pool/natspool/natspool.go", "package natspool\n\nimport \"github.com/tandemgo/tandem/internal/word\"\n\nfunc Name() string { return word.Word }\n")
	x.write("go.work", work.String()+")\n")
	x.write("integration/go.mod", fmt.Sprintf(
		"module %s/integration\n\ngo 1.26.0\n\nrequire %[1]s/pool/natspool v0.0.0\n\nrequire %[1]s v0.1.0 // indirect\n", rootPath))
	x.commit()
	return x
}

// next makes the tree ready for a version after v0.1.0, which is tagged as it is.
func (x tree) next(version string, kinds ...string) {
	x.t.Helper()
	for _, m := range released {
		x.git("tag", m.tag("v0.1.0"))
	}
	var section strings.Builder
	fmt.Fprintf(&section, "## Unreleased\n\n## %s - 2026-12-02\n", version[1:])
	for _, kind := range kinds {
		fmt.Fprintf(&section, "\n### %s\n\n- this\n", kind)
	}
	x.write("CHANGELOG.md", strings.Replace(changelog, "## Unreleased\n", section.String(), 1))
	for _, m := range released[1:] {
		x.requires(m, version)
	}
	x.edit("integration/go.mod", rootPath+" v0.1.0", rootPath+" "+version)
}

func (x tree) requires(m module, version string) {
	x.t.Helper()
	x.write(string(m)+"/go.mod", fmt.Sprintf(
		"module %s\n\ngo 1.26.0\n\nreplace %s => ../../\n\nrequire %[2]s %s\n", m.path(), rootPath, version))
}

func (x tree) write(name, text string) {
	x.t.Helper()
	path := filepath.Join(x.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		x.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		x.t.Fatal(err)
	}
}

func (x tree) edit(name, old, text string) {
	x.t.Helper()
	was, err := os.ReadFile(filepath.Join(x.dir, filepath.FromSlash(name)))
	if err != nil || !bytes.Contains(was, []byte(old)) {
		x.t.Fatalf("%q is not in %s: %v", old, name, err)
	}
	x.write(name, strings.ReplaceAll(string(was), old, text))
}

func (x tree) git(args ...string) {
	x.t.Helper()
	args = append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)
	cmd := exec.CommandContext(x.t.Context(), "git", args...)
	cmd.Dir = x.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		x.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
}

func (x tree) commit() {
	x.t.Helper()
	x.git("add", "--all")
	x.git("commit", "--quiet", "--message", "as it is")
}

// run runs the program in the tree.
func (x tree) run(args ...string) (code int, out string) {
	x.t.Helper()
	var stdout, stderr strings.Builder
	code = release(x.t.Context(), x.dir, args, &stdout, &stderr)
	return code, stdout.String() + stderr.String()
}

// What is ready gets its commands, the root before the adapters.
func TestFirstRelease(t *testing.T) {
	code, out := plant(t).run("v0.1.0")
	want := `there is no release yet

v0.1.0 is ready. If .ci/run has passed on this very commit:

    git tag -a v0.1.0 -m v0.1.0
    git tag -a ratelimit/grpclimit/v0.1.0 -m ratelimit/grpclimit/v0.1.0
    git tag -a ratelimit/redislimit/v0.1.0 -m ratelimit/redislimit/v0.1.0
    git tag -a broadcast/natscast/v0.1.0 -m broadcast/natscast/v0.1.0
    git tag -a pool/natspool/v0.1.0 -m pool/natspool/v0.1.0
    git push --atomic origin main v0.1.0 ratelimit/grpclimit/v0.1.0 ratelimit/redislimit/v0.1.0 broadcast/natscast/v0.1.0 pool/natspool/v0.1.0
    cd "$(mktemp -d)" && export GOWORK=off && go mod init example.com/try
    go get github.com/tandemgo/tandem@v0.1.0 github.com/tandemgo/tandem/ratelimit/grpclimit@v0.1.0 github.com/tandemgo/tandem/ratelimit/redislimit@v0.1.0 github.com/tandemgo/tandem/broadcast/natscast@v0.1.0 github.com/tandemgo/tandem/pool/natspool@v0.1.0
    go build $(go list github.com/tandemgo/tandem/... | grep -v /internal/)
`
	if code != 0 || out != want {
		t.Errorf("exit status %d\n%s", code, out)
	}
}

// Each thing that is amiss is said, alone.
func TestAmiss(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(x tree)
		want  string
	}{
		"a branch": {func(x tree) { x.git("switch", "--quiet", "--create", "other") },
			`the branch is "other", and releases are made on main`},
		"a file": {func(x tree) { x.write("new", "") }, "not everything is committed:\n  ?? new"},
		"a tag": {func(x tree) { x.git("tag", "pool/natspool/v0.1.0") },
			"the tag pool/natspool/v0.1.0 is there already"},
		"a version": {func(x tree) { x.git("tag", "v0.1.0") }, "v0.1.0 does not come after v0.1.0, which is there"},
		"the changelog": {func(x tree) { x.edit("CHANGELOG.md", "0.1.0", "0.1.1"); x.commit() },
			`CHANGELOG.md: the second section is to be "## 0.1.0 - YYYY-MM-DD"`},
		"an adapter": {func(x tree) { x.requires("pool/natspool", "v0.0.0"); x.commit() },
			"pool/natspool/go.mod requires the root at \"v0.0.0\"\n\nThis writes the go.mod files:\n\n" +
				"    go mod edit -require=github.com/tandemgo/tandem@v0.1.0 pool/natspool/go.mod\n" +
				"    (cd pool/natspool && GOWORK=off go mod tidy)"},
		"who uses adapters": {func(x tree) { x.edit("integration/go.mod", "v0.1.0", "v0.0.0"); x.commit() },
			"integration/go.mod requires the root at \"v0.0.0\"\n\nThis writes the go.mod files:\n\n" +
				"    (cd integration && GOWORK=off go mod tidy)"},
		"a replacement": {func(x tree) {
			x.edit("pool/natspool/go.mod", "require", "replace example.com/a => ../a\n\nrequire")
			x.commit()
		}, "pool/natspool/go.mod replaces example.com/a by ../a, which nobody else would get"},
		"another root": {func(x tree) { x.edit("pool/natspool/go.mod", "../../", "../"); x.commit() },
			"pool/natspool/go.mod replaces github.com/tandemgo/tandem by ../, which nobody else would get"},
		"a module on another": {func(x tree) {
			x.edit("pool/natspool/go.mod", "require", "require github.com/tandemgo/tandem/broadcast/natscast v0.0.0\n\nrequire")
			x.commit()
		}, "pool/natspool/go.mod requires github.com/tandemgo/tandem/broadcast/natscast: an adapter builds on the root alone"},
		"another Go": {func(x tree) { x.edit("pool/natspool/go.mod", "1.26.0", "1.27.0"); x.commit() },
			"pool/natspool/go.mod is for Go 1.27.0, the root for 1.26.0"},
		"a module that nobody knows": {func(x tree) {
			x.edit("go.work", "./integration", "./integration\n\t./more")
			x.write("more/go.mod", "module github.com/tandemgo/tandem/more\n\ngo 1.26.0\n")
			x.commit()
		}, "tools/release does not know whether more is released"},
		"an adapter that is gone": {func(x tree) { x.edit("go.work", "\t./pool/natspool\n", ""); x.commit() },
			"go.work has no pool/natspool"},
	} {
		t.Run(name, func(t *testing.T) {
			x := plant(t)
			c.spoil(x)
			want := "there is no release yet\n\nv0.1.0 can't be released yet:\n- " + c.want + "\n"
			if code, out := x.run("v0.1.0"); code != 1 || out != want {
				t.Errorf("exit status %d, and not %q:\n%s", code, want, out)
			}
		})
	}
}

// What has changed since the last release decides which versions there can be.
func TestLevels(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two trees for each of them")
	}
	for name, c := range map[string]struct {
		change  func(x tree)
		version string
		kinds   []string
		want    string // "" is ready
	}{
		"nothing": {func(tree) {}, "v0.1.1", []string{"Fixed"}, ""},
		"a body": {func(x tree) { x.edit("pool/pool.go", "return nil", "return context.Canceled") },
			"v0.1.1", []string{"Fixed"}, ""},
		"added": {func(x tree) { x.write("pool/more.go", "package pool\n\nfunc More() {}\n") },
			"v0.1.1", []string{"Added"}, "makes it a minor version, v0.2.0"},
		"added, minor": {func(x tree) { x.write("pool/more.go", "package pool\n\nfunc More() {}\n") },
			"v0.2.0", []string{"Added"}, ""},
		"changed": {func(x tree) { x.edit("pool/pool.go", "Go(context.Context)", "Go(context.Context, int)") },
			"v0.1.1", []string{"Changed"}, "makes it a minor version, v0.2.0"},
		"changed, minor": {func(x tree) { x.edit("pool/pool.go", "Go(context.Context)", "Go(context.Context, int)") },
			"v0.2.0", []string{"Changed"}, ""},
		"changed, and not said": {func(x tree) { x.edit("pool/pool.go", "Go(context.Context)", "Go(context.Context, int)") },
			"v0.2.0", []string{"Added"}, "the API breaks, and there is neither Changed nor Removed under v0.2.0"},
		"of a later Go, added": {func(x tree) { x.edit("pool/set_go127.go", "func (s", "func (*Set[T]) Also() {}\n\nfunc (s") },
			"v0.1.1", []string{"Added"}, "makes it a minor version, v0.2.0"},
		"of a later Go, changed": {func(x tree) { x.edit("pool/set_go127.go", "fn func(T)", "fn func(int, T)") },
			"v0.2.0", []string{"Added"}, "the API breaks, and there is neither Changed nor Removed under v0.2.0"},
		"of a later Go, gone": {func(x tree) { x.write("pool/set_go127.go", "//go:build go1.27\n\npackage pool\n") },
			"v0.2.0", []string{"Added"}, "the API breaks, and there is neither Changed nor Removed under v0.2.0"},
		"of a later Go, a body": {func(x tree) { x.edit("pool/set_go127.go", "{}", "{s.Len()}") },
			"v0.1.1", []string{"Fixed"}, ""},
		"an adapter": {func(x tree) { x.write("pool/natspool/more.go", "package natspool\n\nfunc More() {}\n") },
			"v0.1.1", []string{"Added"}, "makes it a minor version, v0.2.0"},
		"what adapters import": {func(x tree) { x.edit("internal/word/word.go", "func Unused() {}", "") },
			"v0.1.1", []string{"Changed"}, "makes it a minor version, v0.2.0"},
		"more of it": {func(x tree) { x.write("internal/word/more.go", "package word\n\nfunc More() {}\n") },
			"v0.1.1", []string{"Fixed"}, ""},
		"what nobody imports": {func(x tree) { x.edit("internal/alone/alone.go", "func F() {}", "") },
			"v0.1.1", []string{"Fixed"}, ""},
		"Go": {func(x tree) {
			for _, m := range append(slices.Clone(released), "integration") {
				x.edit(string(m)+"/go.mod", "go 1.26.0", "go 1.26.1")
			}
			x.edit("go.work", "go 1.26.0", "go 1.26.1")
		}, "v0.1.1", []string{"Changed"}, "makes it a minor version, v0.2.0"},
	} {
		t.Run(name, func(t *testing.T) {
			x := plant(t)
			x.next(c.version, c.kinds...)
			c.change(x)
			x.commit()
			code, out := x.run(c.version)
			if ready := strings.Contains(out, c.version+" is ready"); ready != (c.want == "") || ready != (code == 0) ||
				!strings.Contains(out, c.want) {
				t.Errorf("exit status %d, want %q in\n%s", code, c.want, out)
			}
			if n := strings.Count(out, "\n- "); c.want != "" && n != 1 {
				t.Errorf("%d things are amiss:\n%s", n, out)
			}
		})
	}
}

func TestMisuse(t *testing.T) {
	for args, want := range map[string]string{
		"":              "usage: release VERSION",
		"v0.1.0 v0.2.0": "usage: release VERSION",
		"-fast v0.1.0":  "-fast",
	} {
		if code, out := (tree{t, t.TempDir()}).run(strings.Fields(args)...); code != 2 || !strings.Contains(out, want) {
			t.Errorf("%q: exit status %d\n%s", args, code, out)
		}
	}
	if code, out := (tree{t, os.TempDir()}).run("v0.1.0"); code != 2 || !strings.Contains(out, "git rev-parse") {
		t.Errorf("exit status %d\n%s", code, out)
	}
}
