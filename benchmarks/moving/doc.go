// Package moving has no code. The folders in it have a program each, as it was with
// another library and as it is with Tandem; docs/moving shows them. Its tests are what
// the guides say of both sides.
package moving
