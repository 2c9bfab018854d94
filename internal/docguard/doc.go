// Package docguard checks that every exported name of the public packages has a
// doc comment, and is shown to a reader in an Example that is run, and that each
// package says what it costs and when not to use it. Nothing imports it.
package docguard
