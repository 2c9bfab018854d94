package user

import "testing"

func TestTen(t *testing.T) {
	if Ten() != 10 {
		t.Error("not 10")
	}
}
