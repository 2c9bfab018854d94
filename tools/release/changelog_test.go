package main

import (
	"slices"
	"strings"
	"testing"
)

func TestReadChangelog(t *testing.T) {
	const second = `the second section is to be "## 0.2.0 - YYYY-MM-DD"`
	const kinds = "Added, Changed, Deprecated, Removed, Fixed, Security"
	const head, good = "# Changelog\n\n## Unreleased\n\n", "## 0.2.0 - 2026-12-01\n\n### Fixed\n\n- a\n  b\n"
	for text, want := range map[string][]string{
		head + good: nil,
		head + good + "\n### Added\n- a\n\n## 0.1.0 - 2026-11-01\n": nil,
		"# Changelog\n\n" + good:                                    {"the first section is to be Unreleased, and empty", second},
		"# Changelog\n\n## Unreleased\n\n- more\n\n" + good:         {"the first section is to be Unreleased, and empty"},
		head: {second},
		head + "## 0.2.01 - 2026-12-01\n\n### Fixed\n\n- a\n":                     {second},
		head + "## 0.1.0 - 2026-11-01\n\n" + good:                                 {second},
		head + "## 0.2.0 - tomorrow\n\n### Fixed\n\n- a\n":                        {`"0.2.0 - tomorrow" is to be "0.2.0 - YYYY-MM-DD"`},
		head + "## 0.2.0 - 2026-02-30\n\n### Fixed\n\n- a\n":                      {`"0.2.0 - 2026-02-30" is to be "0.2.0 - YYYY-MM-DD"`},
		head + "## 0.2.0 - 2026-12-01\n\n- a\n":                                   {"each change of 0.2.0 is to stand under one of " + kinds},
		head + "## 0.2.0 - 2026-12-01\n\n- a\n\n### Fixed\n\n- a\n":               {"each change of 0.2.0 is to stand under one of " + kinds},
		head + "## 0.2.0 - 2026-12-01\n\n### Mended\n\n- a\n":                     {`"Mended" is none of ` + kinds},
		head + "## 0.2.0 - 2026-12-01\n\n### Fixed\n\n### Added\n\n- a\n":         {"nothing is fixed"},
		head + "## 0.2.0 - 2026-12-01\n\n### Added\n\n## 0.1.0 - 2026-11-01\n- a": {"nothing is added"},
	} {
		for i := range want {
			want[i] = "CHANGELOG.md: " + want[i]
		}
		if _, got := readChangelog(text, "v0.2.0"); !slices.Equal(got, want) {
			t.Errorf("%q:\n%s\nwant\n%s", text, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if got, _ := readChangelog(head+"## 0.2.0 - 2026-12-01\n\n### Fixed\n\n- a\n\n### Added\n\n- a\n", "v0.2.0"); !slices.Equal(got, []string{"Fixed", "Added"}) {
		t.Errorf("the kinds are %q", got)
	}
}
