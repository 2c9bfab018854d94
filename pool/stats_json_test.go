package pool_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/tandemgo/tandem/pool"
)

// C12: Stats marshals to complete JSON, the histograms included.
func TestC12StatsMarshal(t *testing.T) {
	p := pool.New(1, func(context.Context, int) (int, error) { return 0, nil })
	must(p.Do(t.Context(), 1))
	must0(p.Close())
	var got struct {
		Submitted, Completed int
		QueueWait, RunTime   struct {
			Count, Sum int
			Buckets    []struct{ Below, Count int }
		}
	}
	s := p.Stats()
	must0(json.Unmarshal(must(json.Marshal(s)), &got))
	if got.Submitted != 1 || got.Completed != 1 {
		t.Errorf("%+v", got)
	}
	for _, h := range []struct {
		got  int
		want pool.Histogram
	}{{got.QueueWait.Count, s.QueueWait}, {got.RunTime.Count, s.RunTime}} {
		if h.got != int(h.want.Count()) || h.got != 1 {
			t.Errorf("%d tasks, want %v", h.got, h.want)
		}
	}
	if b := got.RunTime.Buckets; len(b) != 1 || b[0].Count != 1 || got.RunTime.Sum != int(s.RunTime.Sum()) || b[0].Below <= got.RunTime.Sum {
		t.Errorf("run time: %+v", got.RunTime)
	}
}
