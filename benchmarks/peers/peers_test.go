package peers_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Ours, and what is written by hand, come in files of their own.
var byHand = []string{"tandem", "channels", "classic"}

// A library takes one short file, or nobody will add one.
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

// CONTRIBUTING shows one of them in full.
func TestContributingShowsAPeer(t *testing.T) {
	text, err := os.ReadFile("../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile("workerpool.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, append([]byte("```go\n"), append(file, "```\n"...)...)) {
		t.Error("CONTRIBUTING.md does not show workerpool.go as it is")
	}
}
