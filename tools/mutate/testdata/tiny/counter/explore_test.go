//go:build points

package counter

import "testing"

func TestExploreClose(t *testing.T) {
	c := New()
	c.Close()
	select {
	case <-c.changed:
	default:
		t.Error("not closed")
	}
}

// The explorer leaves the others alone.
func TestPlain(t *testing.T) { t.Error("is run") }
