package peers_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The files of Tandem and of code written by hand are excepted.
var byHand = []string{"tandem", "channels", "classic"}

// A library takes one short file, so that adding one is easy.
func TestFilesAreShort(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d files, error %v", len(files), err)
	}
	for _, file := range files {
		name, _, _ := strings.Cut(strings.TrimSuffix(file, ".go"), "_")
		own := false
		for _, prefix := range byHand {
			own = own || name == prefix
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(text, []byte("\n")); lines > 60 && !own && !strings.HasSuffix(file, "_test.go") {
			t.Errorf("%s has %d lines, more than 60", file, lines)
		}
	}
}
