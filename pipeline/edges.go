package pipeline

import "slices"

// An Edge is a way that items take from one stage of a chain to another.
type Edge struct {
	From, To int    // indexes of the stages in Stats
	Label    string // the name of the branch, or ""
	Fused    bool   // a call between stages that share a goroutine, see [Fuse]
}

// Edges returns how the stages in [Observer.Stats] are connected. A stage to which no edge
// leads receives the items of the source; what a stage sends from which none leads is the
// output. The result is empty before [Stage.Observe] and for a single stage.
func (o *Observer) Edges() []Edge {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.edges)
}
