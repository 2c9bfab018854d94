package fan

// An Option changes how [Seq] walks.
type Option func(*options)

type options struct{ unordered bool }

// Unordered makes Seq yield results as they are ready. The default is the order
// of the input.
func Unordered() Option { return func(o *options) { o.unordered = true } }
