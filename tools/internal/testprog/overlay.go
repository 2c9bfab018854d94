package testprog

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// WriteOverlay writes into dir what makes the go command take the given texts for
// the files at their paths, and returns the overlay's own path. A file whose text is
// nil is not there.
func WriteOverlay(dir string, texts map[string][]byte) (string, error) {
	replace := map[string]string{}
	for path, text := range texts {
		if text == nil {
			replace[path] = ""
			continue
		}
		other := filepath.Join(dir, fmt.Sprintf("%d-%s", len(replace), filepath.Base(path)))
		if err := os.WriteFile(other, text, 0o666); err != nil {
			return "", err
		}
		replace[path] = other
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o666)
}
