//go:build points && (amd64 || arm64)

package explore

import "unsafe"

// getg returns the runtime's descriptor of the calling goroutine.
func getg() unsafe.Pointer
