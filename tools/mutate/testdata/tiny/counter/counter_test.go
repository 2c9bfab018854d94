package counter

import "testing"

func TestCounter(t *testing.T) {
	c := New()
	c.Add(5)
	if c.Big() {
		t.Error("5 is big")
	}
	c.Add(6)
	if !c.Big() {
		t.Error("11 is not big")
	}
	if n := c.Await(); n != 5 {
		t.Errorf("changed to %d", n)
	}
	c.Close()
}
