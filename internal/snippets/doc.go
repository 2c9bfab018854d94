// Package snippets has only tests. They check that every block of Go in README and the
// guides is compiled, as a part of an Example or a program, word for word, and that the
// guides show the true changes for moving a program.
package snippets
