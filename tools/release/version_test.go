package main

import (
	"fmt"
	"strings"
	"testing"
)

// A version follows the last release, and raises one part of it by one.
func TestStep(t *testing.T) {
	for c, want := range map[string]string{
		"v0.1.0":                            " major",
		"v1.0.0-rc.1":                       " major",
		"v0.0.1":                            "the first version is v0.1.0 or v1.0.0, got v0.0.1",
		"v0.2.4 v0.2.3 v0.1.9 v0.10":        "v0.2.3 patch",
		"v0.3.0 v0.2.3":                     "v0.2.3 minor",
		"v1.0.0 v0.2.3":                     "v0.2.3 major",
		"v0.2.10 v0.2.9 v0.2.8":             "v0.2.9 patch",
		"v0.2.3 v0.2.3":                     "v0.2.3 does not come after v0.2.3, which is there",
		"v0.2.2 v0.2.3":                     "v0.2.2 does not come after v0.2.3, which is there",
		"v0.2.5 v0.2.3":                     "after v0.2.3 comes v0.2.4, v0.3.0 or v1.0.0, got v0.2.5",
		"v0.3.1 v0.2.3":                     "after v0.2.3 comes v0.2.4, v0.3.0 or v1.0.0, got v0.3.1",
		"v1.0.0-rc.2 v1.0.0-rc.1 v0.9.0":    "v0.9.0 major",
		"v1.0.0 v1.0.0-rc.1 v0.9.0":         "v0.9.0 major",
		"v0.9.1 v1.0.0-rc.1 v0.9.0":         "v0.9.1 does not come after v1.0.0-rc.1, which is there",
		"v0.1.0 pool/natspool/v0.9.0 other": " major",
		"0.1.0":                             `a version is written as v1.2.3 or v1.2.3-rc.1, got "0.1.0"`,
		"v0.1":                              `a version is written as v1.2.3 or v1.2.3-rc.1, got "v0.1"`,
		"v0.1.0+meta":                       `a version is written as v1.2.3 or v1.2.3-rc.1, got "v0.1.0+meta"`,
		"v2.0.0 v1.0.0":                     "v2.0.0: from version 2 on all import paths end in /v2, and tools/release has to know them",
	} {
		words := strings.Fields(c)
		last, l, err := step(words[1:], words[0])
		got := fmt.Sprint(last, " ", l)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", c, got, want)
		}
	}
}

// From version 1 on, what breaks is a major version.
func TestStable(t *testing.T) {
	for v, want := range map[string]bool{"v0.9.9": false, "v1.0.0": true, "v1.2.3": true} {
		if stable(v) != want {
			t.Errorf("%s: %v", v, !want)
		}
	}
}
