//go:build points && (amd64 || arm64)

package explore

import "unsafe"

// getg returns what the run time knows of the goroutine.
func getg() unsafe.Pointer
