// Package user imports counter.
package user

import "example.com/tiny/counter"

// Ten reports whether 10 is big.
func Ten() bool {
	c := counter.New()
	c.Add(10)
	return c.Big()
}
