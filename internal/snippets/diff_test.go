package snippets_test

import (
	"slices"
	"strings"
	"testing"
)

// diff returns the lines of two texts as a shortest patch of all of them has them:
// those of both behind a space, those of old only behind a minus, and those of new only
// behind a plus.
func diff(old, new []string) []string {
	// common[i][j] is how many lines old[i:] and new[j:] have in common, in order.
	common := make([][]int, len(old)+1)
	common[len(old)] = make([]int, len(new)+1)
	for i := len(old) - 1; i >= 0; i-- {
		common[i] = make([]int, len(new)+1)
		for j := len(new) - 1; j >= 0; j-- {
			if old[i] == new[j] {
				common[i][j] = 1 + common[i+1][j+1]
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var patch []string
	i, j := 0, 0
	for i < len(old) || j < len(new) {
		switch {
		case i < len(old) && j < len(new) && old[i] == new[j]:
			patch = append(patch, strings.TrimRight(" "+old[i], " "))
			i, j = i+1, j+1
		case i < len(old) && (j == len(new) || common[i+1][j] >= common[i][j+1]):
			patch = append(patch, "-"+old[i])
			i++
		default:
			patch = append(patch, "+"+new[j])
			j++
		}
	}
	return patch
}

// changed returns how many lines a patch adds and removes.
func changed(patch []string) (added, removed int) {
	for _, line := range patch {
		switch {
		case strings.HasPrefix(line, "+"):
			added++
		case strings.HasPrefix(line, "-"):
			removed++
		}
	}
	return added, removed
}

func TestDiff(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"a b c", "a b c", " a  b  c"},
		{"a b c", "a c", " a -b  c"},
		{"a c", "a b c", " a +b  c"},
		{"a b c", "x b y", "-a +x  b -c +y"},
		{"", "a", "+a"},
	} {
		got := diff(strings.Fields(c.old), strings.Fields(c.new))
		if strings.Join(got, " ") != c.want {
			t.Errorf("diff(%q, %q) = %q, want %q", c.old, c.new, got, c.want)
		}
	}
	if added, removed := changed([]string{" a", "-b", "+c", "+d", ""}); added != 2 || removed != 1 {
		t.Errorf("%d added, %d removed", added, removed)
	}
	if !slices.Equal(diff([]string{"a", ""}, []string{"a", ""}), []string{" a", ""}) {
		t.Error("an empty line has a space behind it")
	}
}
