package keyed_test

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"weak"

	"github.com/tandemgo/tandem/internal/keyed"
	"github.com/tandemgo/tandem/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// Of each key one value is in work at a time, in the order in which they entered, and one
// is in work if there is any.
func TestOneValueOfAKeyIsInWork(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		keys := 4
		if seed%2 == 0 {
			keys = 200 // the table grows
		}
		var order keyed.Order[int, int]
		var working []int
		waiting, next := map[int][]int{}, 0 // the values of a key, the one in work first
		for range 500 {
			if len(working) == 0 || rnd.IntN(5) < 3 {
				key := rnd.IntN(keys)
				v := next*keys + key
				if first := order.Enter(keyed.NewItem(key, v)); first != (len(waiting[key]) == 0) {
					t.Fatalf("seed %d: %d others of its key are there, first %v", seed, len(waiting[key]), first)
				} else if first {
					working = append(working, v)
				}
				waiting[key] = append(waiting[key], v)
				next++
				continue
			}
			i := rnd.IntN(len(working))
			key := working[i] % keys
			working = append(working[:i], working[i+1:]...)
			waiting[key] = waiting[key][1:]
			item, ok := order.Leave(keyed.NewItem(key, 0))
			behind := item.Value
			if ok != (len(waiting[key]) > 0) || ok && behind != waiting[key][0] {
				t.Fatalf("seed %d: got %d, %v, want the first of %v", seed, behind, ok, waiting[key])
			}
			if ok {
				working = append(working, behind)
			}
		}
	}
}

// C8: an order keeps no value that has left, and no key.
func TestC8AValueThatHasLeft(t *testing.T) {
	var order keyed.Order[string, *[64]byte]
	enter := func() weak.Pointer[[64]byte] {
		v := new([64]byte)
		order.Enter(keyed.NewItem("k", v))
		return weak.Make(v)
	}
	first, second, third := enter(), enter(), enter()
	for want := range 3 {
		if _, ok := order.Leave(keyed.NewItem[string, *[64]byte]("k", nil)); ok != (want < 2) {
			t.Errorf("%d have left: %v", want+1, ok)
		}
	}
	runtime.GC()
	if first.Value() != nil || second.Value() != nil || third.Value() != nil {
		t.Error("values that have left are kept")
	}
	if !order.Enter(keyed.NewItem[string, *[64]byte]("k", nil)) {
		t.Error("the key is kept")
	}
}

// A key that is not equal to itself waits for no other one, and leaves.
func TestNaN(t *testing.T) {
	var order keyed.Order[float64, int]
	a, b := keyed.NewItem(math.NaN(), 0), keyed.NewItem(math.NaN(), 1)
	if !order.Enter(a) || !order.Enter(b) {
		t.Error("a NaN waits for another")
	}
	for _, it := range []keyed.Item[float64, int]{b, a} {
		if _, ok := order.Leave(it); ok {
			t.Error("something has waited for a NaN")
		}
	}
}

// An item costs no allocation once the order has had as many at once.
func TestNoAllocations(t *testing.T) {
	var order keyed.Order[string, int]
	it := keyed.NewItem("k", 1)
	got := testing.AllocsPerRun(100, func() {
		order.Enter(it)
		order.Enter(it)
		order.Leave(it)
		order.Leave(it)
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}
