package results

import "slices"

// A Work is one benchmark with all its cases.
type Work struct {
	Name  string // without the Benchmark before it
	Cases []*Case
}

// Case returns the case of that name, or nil. It may be called on nil.
func (w *Work) Case(name string) *Case {
	if w == nil {
		return nil
	}
	if i := slices.IndexFunc(w.Cases, func(c *Case) bool { return c.Name == name }); i >= 0 {
		return w.Cases[i]
	}
	return nil
}
