// Package cookbook holds programs as Examples, one a file: what Tandem is for, in
// sixty lines at most, with servers, files and failures, and without sleeps. The
// list of them is in docs/cookbook.md.
package cookbook
