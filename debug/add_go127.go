//go:build go1.27

package debug

// Add is [Add] to h.
func (h *Handler) Add[S Stats](name string, x interface{ Stats() S }) { Add(h, name, x) }
