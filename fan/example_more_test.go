package fan_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/tandemgo/tandem/fan"
)

// A function that ends its goroutine, as t.FailNow does in a test, has an error
// like any other.
func ExampleErrGoexit() {
	err := fan.ForEach(context.Background(), 2, slices.Values([]string{"a", "b"}),
		func(_ context.Context, s string) error {
			if s == "b" {
				runtime.Goexit()
			}
			return nil
		})
	fmt.Println(errors.Is(err, fan.ErrGoexit))
	// Output: true
}
