// Package snippets has no code, only tests: every piece of Go in README and the guides
// is compiled, since it is a part, word for word, of an Example or a program, and what
// the guides say it takes to move a program is what it takes.
package snippets
