package fifo_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/internal/fifo"
	"github.com/tandemgo/tandem/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// FuzzList performs the same operations on a list and on a slice.
func FuzzList(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 2, 0, 3, 0, 2, 2})
	f.Add([]byte{0, 0, 0, 18, 34, 3, 2, 18, 0, 1, 1, 1, 1})
	f.Add([]byte{0, 0, 18, 0, 1, 1}) // the last element leaves, and another is added
	f.Fuzz(func(t *testing.T, script []byte) {
		var l fifo.List[int]
		var model []int
		nodes := map[int]*fifo.Node[int]{}
		for i, op := range script {
			switch op % 4 {
			case 0:
				nodes[i] = l.PushBack(i)
				model = append(model, i)
			case 1:
				v, ok := l.Pop()
				if ok != (len(model) > 0) || ok && v != model[0] {
					t.Fatalf("Pop: %d, %v of %v", v, ok, model)
				}
				model = model[min(1, len(model)):]
			case 2: // any node so far
				v := int(op/16) % (i + 1)
				if n := nodes[v]; n != nil {
					at := slices.Index(model, v)
					if l.Remove(n) != (at >= 0) {
						t.Fatalf("Remove(%d) of %v", v, model)
					}
					if at >= 0 {
						model = slices.Delete(model, at, at+1)
					}
				}
			case 3:
				if diff := cmp.Diff(model, slices.Collect(l.Take()), emptyIsNil); diff != "" {
					t.Fatalf("Take (-want +got):\n%s", diff)
				}
				model = nil
			}
			if diff := cmp.Diff(model, slices.Collect(l.All()), emptyIsNil); diff != "" || l.Len() != len(model) {
				t.Fatalf("length %d (-want +got):\n%s", l.Len(), diff)
			}
			if n := l.Front(); (n == nil) != (len(model) == 0) || n != nil && n.Value != model[0] {
				t.Fatalf("Front: %v of %v", n, model)
			}
		}
	})
}

var emptyIsNil = cmp.Comparer(func(a, b []int) bool { return slices.Equal(a, b) })
