package testkit

// A Script is the input of a fuzz target: bytes that choose the operations and their
// arguments. At its end a script returns 0 for ever. It has IntN and Int64N like a
// *rand.Rand, so the same code can use either.
type Script struct{ rest []byte }

// longest is how many bytes of its input a script uses. To find faults that take more
// operations, use a larger alphabet.
const longest = 512

// NewScript returns the script in b.
func NewScript(b []byte) *Script { return &Script{b[:min(len(b), longest)]} }

// More reports whether the script has not come to its end.
func (s *Script) More() bool { return len(s.rest) > 0 }

// Bool returns a bool from the next byte.
func (s *Script) Bool() bool { return s.IntN(2) == 1 }

// IntN returns a number from 0 to n-1. It takes one byte, if n is not more than
// 256.
func (s *Script) IntN(n int) int { return int(s.Int64N(int64(n))) }

// Int64N is IntN for an int64.
func (s *Script) Int64N(n int64) int64 {
	v := uint64(0)
	for most := uint64(n - 1); ; most >>= 8 {
		b := byte(0)
		if len(s.rest) > 0 {
			b, s.rest = s.rest[0], s.rest[1:]
		}
		v = v<<8 | uint64(b)
		if most>>8 == 0 {
			return int64(v % uint64(n))
		}
	}
}
