package snippets_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// values are what the tables of the pages call the values of our types.
var values = map[string][]string{
	"p": {"pool.Pool"}, "g": {"pool.Group"}, "f": {"pool.Future"},
	"l": {"ratelimit.Limiter"}, "r": {"ratelimit.Reservation"},
	"b": {"broadcast.Broadcast"}, "s": {"broadcast.Subscription", "pipeline.Stage"},
	"stage": {"pipeline.Stage"},
}

var (
	code = regexp.MustCompile("`[^`]*`")
	name = regexp.MustCompile(`\b([a-z]+)\.([A-Z]\w*)`)
)

// What the second column of a table says is ours is there, by that name.
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

// ours returns what a cell of a table may mean by each name in it of us.
func ours(cell string) (names [][]string) {
	for _, span := range code.FindAllString(cell, -1) {
		for _, m := range name.FindAllStringSubmatch(span, -1) {
			if types, ok := values[m[1]]; ok {
				var meant []string
				for _, typ := range types {
					meant = append(meant, typ+"."+m[2])
				}
				names = append(names, meant)
			} else if slices.Contains([]string{"pool", "pipeline", "fan", "ratelimit", "broadcast"}, m[1]) {
				names = append(names, []string{m[0]})
			}
		}
	}
	return names
}

// exported returns the names that the record of the API has: pool.New, pool.Pool.Go.
func exported(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, pkg := range []string{"pool", "pipeline", "fan", "ratelimit", "broadcast"} {
		record := filepath.Join(root, "internal", "apiguard", "testdata", pkg+".go.txt")
		file, err := parser.ParseFile(token.NewFileSet(), record, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				all[strings.Join(append([]string{pkg}, append(receiver(d), d.Name.Name)...), ".")] = true
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch s := spec.(type) {
					case *ast.TypeSpec:
						all[pkg+"."+s.Name.Name] = true
					case *ast.ValueSpec:
						for _, n := range s.Names {
							all[pkg+"."+n.Name] = true
						}
					}
				}
			}
		}
	}
	return all
}

// receiver returns the name of the type that a method is of, if it is one.
func receiver(d *ast.FuncDecl) []string {
	if d.Recv == nil {
		return nil
	}
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return []string{x.Name}
		default:
			return nil
		}
	}
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
	if there["pool.Pool.Stage"] || there["pool.Nobody"] {
		t.Error("what is not there is found")
	}
}
