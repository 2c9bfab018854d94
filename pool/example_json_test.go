package pool_test

import (
	"context"
	"fmt"

	"github.com/tandemgo/tandem/pool"
)

func ExampleHistogram_MarshalJSON() {
	p := pool.New(1, func(context.Context, int) (int, error) { return 0, nil })
	defer p.Close()
	text, err := p.Stats().RunTime.MarshalJSON() // as json.Marshal does
	fmt.Println(string(text), err)
	// Output: {"count":0,"sum":0,"buckets":[]} <nil>
}
