// Package docguard checks that every exported name of the public packages has a
// doc comment, and is shown to a reader in an Example that is run. Nothing
// imports it.
package docguard
