// Package user imports bare.
package user

import "example.com/tiny/bare"

// Ten returns 10.
func Ten() int {
	c := bare.New()
	c <- 10
	return <-c
}
