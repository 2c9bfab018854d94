// Package march has the types that both shapes of the march share: file systems, and the calls that a
// march makes.
package march

import (
	"context"
	"errors"
)

// An Entry is a file or a directory.
type Entry struct {
	Path string
	Dir  bool
}

// Key is the order of the entries of a directory. A file and a directory of the same
// name are not the same.
func (e Entry) Key() string {
	if e.Dir {
		return e.Path + "/"
	}
	return e.Path
}

// An FS is a tree of files.
type FS interface {
	// List calls fn with the entries of a directory, ordered by their keys, some at a time.
	// It ends with an error of fn. A directory that is not there has the error ErrNotFound.
	List(ctx context.Context, dir string, fn func([]Entry) error) error

	// Lookup returns the file of a path, or ErrNotFound.
	Lookup(ctx context.Context, path string) (Entry, error)
}

// ErrNotFound is the error for a path that is not there.
var ErrNotFound = errors.New("march: not found")

// Calls are called for the entries of both trees. Calls for one directory come one after the
// other.
type Calls struct {
	SrcOnly func(Entry)
	DstOnly func(Entry)
	Match   func(Entry) error
}
