package natspool

import (
	"net/textproto"
	"strings"
	"testing"
	"testing/quick"
)

// A header keeps the whole id: the client trims and replaces no part of it.
func TestMessageIDInAHeader(t *testing.T) {
	check := func(id string) bool {
		value, err := encodeID(id)
		return err == nil && decodeID(value) == id && textproto.TrimString(value) == value &&
			!strings.ContainsAny(value, "\r\n") && !strings.HasPrefix(value, requeuedID) &&
			(value == id || strings.HasPrefix(value, encodedID))
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
	if err := quick.Check(func(id []byte) bool { return check(string(id)) }, nil); err != nil {
		t.Error(err)
	}
	for _, id := range []string{"", " ", "%", "%=", "%=%20", "%requeued-1-2", "a\r\nb", "\xff", "é", "a b"} {
		if !check(id) {
			t.Errorf("%q", id)
		}
	}
}

// A value with the prefix of an encoded id that cannot be decoded, as another program
// may send it, is taken unchanged.
func TestMessageIDOfAnotherProgram(t *testing.T) {
	for _, value := range []string{"%=%", "%=%zz", "%=a%2"} {
		if id := decodeID(value); id != value {
			t.Errorf("%q is %q", value, id)
		}
	}
}
