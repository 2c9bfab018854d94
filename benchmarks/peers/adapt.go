package peers

// batches implements work.Batches by functions.
type batches struct {
	sum   func(n int) int
	close func() // nil if there is nothing to close
}

func (b batches) Sum(n int) int { return b.sum(n) }

func (b batches) Close() {
	if b.close != nil {
		b.close()
	}
}

// tasks implements work.Tasks by functions.
type tasks struct {
	submit func(task int)
	wait   func()
}

func (t tasks) Submit(task int) { t.submit(task) }
func (t tasks) Wait()           { t.wait() }

func total(vs []int) (sum int) {
	for _, v := range vs {
		sum += v
	}
	return sum
}

// firstError keeps the first error, for libraries without errors in a flow. Later items
// are not passed to the sink.
type firstError struct{ err error }

func (f *firstError) sink(v int, err error, sink func(int)) {
	switch {
	case f.err != nil:
	case err != nil:
		f.err = err
	default:
		sink(v)
	}
}
