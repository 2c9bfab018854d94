// Package markdown writes the tables of pages.
package markdown

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Table returns a table whose columns are aligned to the left for an l in align, otherwise
// to the right. Without rows it is empty.
func Table(align string, header []string, rows [][]string) string {
	if len(rows) == 0 {
		return ""
	}
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(header)
	fmt.Fprintf(&b, "|%s\n", strings.NewReplacer("l", "---|", "r", "---:|").Replace(align))
	for _, row := range rows {
		line(row)
	}
	return b.String()
}

// Versions returns a table of modules, such as "golang.org/x/sync v0.25.0", by library.
func Versions(modules map[string]string) string {
	libraries := map[string][]string{}
	for _, lib := range slices.Sorted(maps.Keys(modules)) {
		libraries[modules[lib]] = append(libraries[modules[lib]], lib)
	}
	var rows [][]string
	for module, libs := range libraries {
		path, version, _ := strings.Cut(module, " ")
		rows = append(rows, []string{strings.Join(libs, ", "), path, version})
	}
	slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return Table("lll", []string{"Library", "Module", "Version"}, rows)
}
