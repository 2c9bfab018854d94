package user

import "testing"

func TestTen(t *testing.T) {
	if !Ten() {
		t.Error("10 is not big")
	}
}
