package keyed_test

import (
	"math/rand/v2"
	"testing"

	"github.com/tandemgo/tandem/internal/keyed"
	"github.com/tandemgo/tandem/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// Of each key one entry is in work at a time, in the order in which they entered, and one
// is in work if there is any.
func TestOneEntryOfAKeyIsInWork(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var order keyed.Order[int, int]
		var working []*keyed.Entry[int, int]
		waiting, next := map[int][]int{}, 0 // the values of a key, the one in work first
		for range 500 {
			if len(working) == 0 || rnd.IntN(2) == 0 {
				key := rnd.IntN(4)
				e := &keyed.Entry[int, int]{Value: next*4 + key}
				if first := order.Enter(key, e); first != (len(waiting[key]) == 0) {
					t.Fatalf("seed %d: %d others of its key are there, first %v", seed, len(waiting[key]), first)
				} else if first {
					working = append(working, e)
				}
				waiting[key] = append(waiting[key], e.Value)
				next++
				continue
			}
			i := rnd.IntN(len(working))
			e := working[i]
			working = append(working[:i], working[i+1:]...)
			key := e.Value % 4
			waiting[key] = waiting[key][1:]
			switch behind := order.Leave(e); {
			case behind == nil && len(waiting[key]) > 0:
				t.Fatalf("seed %d: %v are left behind", seed, waiting[key])
			case behind != nil:
				if len(waiting[key]) == 0 || behind.Value != waiting[key][0] {
					t.Fatalf("seed %d: got %d, want the first of %v", seed, behind.Value, waiting[key])
				}
				working = append(working, behind)
			}
		}
	}
}

// C8: an entry that has left keeps no other one alive, and may be used again.
func TestC8AnEntryThatHasLeft(t *testing.T) {
	var order keyed.Order[string, *int]
	var a, b keyed.Entry[string, *int]
	if !order.Enter("k", &a) || order.Enter("k", &b) {
		t.Fatal("not the first one is in work")
	}
	if order.Leave(&a) != &b || order.Enter("k", &a) || order.Leave(&b) != &a || order.Leave(&a) != nil {
		t.Error("entries that are used again are not in order")
	}
	if !order.Enter("k", &b) {
		t.Error("the key is kept")
	}
}
