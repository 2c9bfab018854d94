// Package docguard checks that every exported name of the public packages has a doc
// comment and appears in an Example that is run, and that each package documents its
// cost and when not to use it. No package imports it.
package docguard
