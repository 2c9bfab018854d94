package moving_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/tandemgo/tandem/pool"
)

// A panic of a task is an error, unless a handler decides that it is more.
func Example_panics() {
	p := pool.New(1, func(_ context.Context, n int) (int, error) { return 100 / n, nil })
	defer p.Close()
	defer func() { fmt.Println("here it is again:", recover() != nil) }()

	_, err := p.Do(context.Background(), 0)
	fmt.Println("an error:", err != nil)
	if pe, ok := errors.AsType[*pool.PanicError](err); ok {
		panic(pe)
	}
	// Output:
	// an error: true
	// here it is again: true
}
