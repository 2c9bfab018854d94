package redislimit_test

import (
	"go/build"
	"strings"
	"testing"
)

// The root may change inside without breaking a released adapter.
func TestImportsNoInternalPackage(t *testing.T) {
	pkg, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range pkg.Imports {
		if strings.HasPrefix(path, "github.com/tandemgo/tandem/internal/") {
			t.Errorf("imports %s", path)
		}
	}
	if len(pkg.Imports) == 0 {
		t.Error("no imports are found")
	}
}
