// Package cookbook has programs for typical uses of Tandem, as Examples, one a file.
// Each has at most sixty lines and handles servers, files and failures, without sleeps.
// The list of them is docs/cookbook.md.
package cookbook
