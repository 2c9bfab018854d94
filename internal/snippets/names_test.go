package snippets_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// meanings are the packages and types that a name before a dot stands for in the tables of
// the pages.
var meanings = map[string][]string{
	"pool": {"pool"}, "pipeline": {"pipeline"}, "fan": {"fan"}, "inflight": {"inflight"}, "ratelimit": {"ratelimit"}, "broadcast": {"broadcast"},
	"p": {"pool.Pool"}, "g": {"pool.Group"}, "f": {"pool.Future"},
	"l": {"ratelimit.Limiter"}, "r": {"ratelimit.Reservation"},
	"b": {"broadcast.Broadcast"}, "s": {"broadcast.Subscription", "pipeline.Stage"},
	"stage": {"pipeline.Stage"},
}

var (
	code = regexp.MustCompile("`[^`]*`")
	name = regexp.MustCompile(`\b([a-z]+)\.([A-Z]\w*)`)
)

// Each name of ours in the second column of a table exists.
func TestTablesNameWhatIsThere(t *testing.T) {
	there := exported(t)
	seen := 0
	for page, text := range pages(t) {
		for i, line := range strings.Split(text, "\n") {
			columns := strings.Split(line, "|")
			if !strings.HasPrefix(line, "|") || len(columns) < 4 {
				continue
			}
			for _, n := range ours(columns[2]) {
				seen++
				if !slices.ContainsFunc(n, func(full string) bool { return there[full] }) {
					t.Errorf("%s:%d: there is no %s", page, i+1, strings.Join(n, " and no "))
				}
			}
		}
	}
	if seen < 150 {
		t.Errorf("only %d names are seen", seen)
	}
}

// ours returns for each name of ours in a cell of a table its possible meanings.
func ours(cell string) (names [][]string) {
	for _, span := range code.FindAllString(cell, -1) {
		for _, m := range name.FindAllStringSubmatch(span, -1) {
			var meant []string
			for _, of := range meanings[m[1]] {
				meant = append(meant, of+"."+m[2])
			}
			if meant != nil {
				names = append(names, meant)
			}
		}
	}
	return names
}

// declared finds a function, a method with the type of its receiver, a type, or a constant
// or variable in a record of the API.
var declared = regexp.MustCompile(`(?m)^(?:func (?:\((?:\w+ )?\*?(\w+)[^)]*\) )?|type |const |var |\t)([A-Z]\w*)\b`)

// exported returns the names in the record of the API, such as pool.New and
// pool.Pool.Go, and the fields of structs as if they were names of the package.
func exported(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for path, text := range files(t, regexp.MustCompile(`^internal/apiguard/testdata/[a-z]+\.go\.txt$`).MatchString) {
		pkg := regexp.MustCompile(`[a-z]+\.`).FindString(path)
		for _, m := range declared.FindAllStringSubmatch(text, -1) {
			all[pkg+strings.TrimPrefix(m[1]+"."+m[2], ".")] = true
		}
	}
	return all
}

func TestOurs(t *testing.T) {
	got := ours("`p.Go(ctx, task)` or time.Now, `fan.Map(ctx, slices.Values(s))`, `s.Close()`")
	want := [][]string{{"pool.Pool.Go"}, {"fan.Map"}, {"broadcast.Subscription.Close", "pipeline.Stage.Close"}}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%v", got)
	}
	there := exported(t)
	for _, n := range []string{"pool.New", "pool.Pool.Go", "ratelimit.Never", "pipeline.Stage.Run", "fan.Result"} {
		if !there[n] {
			t.Errorf("%s is not found", n)
		}
	}
	if there["pool.Pool.Stage"] || there["pool.Nothing"] {
		t.Error("what is not there is found")
	}
}
