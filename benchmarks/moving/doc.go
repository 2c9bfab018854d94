// Package moving has only tests, which check the statements of the guides about both
// sides. Its folders have a program each, with another library and with Tandem;
// docs/moving shows them.
package moving
