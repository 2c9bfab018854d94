package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// kindsOfChange are those of Keep a Changelog.
var kindsOfChange = []string{"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}

// readChangelog returns the kinds of changes in the section of a version, and what is
// wrong with it.
func readChangelog(text, version string) (kinds, problems []string) {
	amiss := func(format string, args ...any) {
		problems = append(problems, "CHANGELOG.md: "+fmt.Sprintf(format, args...))
	}
	sections := strings.Split("\n"+text, "\n## ")[1:]
	if len(sections) == 0 || strings.TrimSpace(sections[0]) != "Unreleased" {
		amiss("the first section is to be Unreleased, and empty")
	}
	number := strings.TrimPrefix(version, "v")
	i := slices.IndexFunc(sections, func(s string) bool { return strings.HasPrefix(s, number+" ") })
	if i != 1 {
		amiss("the second section is to be \"## %s - YYYY-MM-DD\"", number)
	}
	if i < 0 {
		return nil, problems
	}
	heading, body, _ := strings.Cut(sections[i], "\n")
	if _, err := time.Parse(number+" - "+time.DateOnly, heading); err != nil {
		amiss("%q is to be \"%s - YYYY-MM-DD\"", heading, number)
	}
	parts := strings.Split("\n"+body, "\n### ")
	if strings.TrimSpace(parts[0]) != "" || len(parts) == 1 {
		amiss("each change of %s is to stand under one of %s", number, strings.Join(kindsOfChange, ", "))
	}
	for _, part := range parts[1:] {
		kind, changes, _ := strings.Cut(part, "\n")
		if !slices.Contains(kindsOfChange, kind) {
			amiss("%q is none of %s", kind, strings.Join(kindsOfChange, ", "))
		}
		if !strings.HasPrefix(strings.TrimSpace(changes), "- ") {
			amiss("nothing is %s", strings.ToLower(kind))
		}
		kinds = append(kinds, kind)
	}
	return kinds, problems
}
