package testprog

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// WriteOverlay writes an overlay for the go command into dir and returns its path. The
// overlay replaces the files at the given paths by the given texts; a file with a nil
// text is removed.
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
