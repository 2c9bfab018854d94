package peers

import (
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func init() { work.Add(work.Peer{Name: "k8s", Module: "k8s.io/apimachinery", Bus: k8sBus}) }

// A k8sObject is an object that k8s can watch.
type k8sObject int

func (k8sObject) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }
func (o k8sObject) DeepCopyObject() runtime.Object { return o }

type k8sBroadcast struct {
	tb testing.TB
	bc *watch.Broadcaster
}

func k8sBus(tb testing.TB, room int) work.Bus {
	return k8sBroadcast{tb, watch.NewBroadcaster(room, watch.WaitIfChannelFull)}
}

func (b k8sBroadcast) Subscribe(wg *sync.WaitGroup, got func(int)) {
	w, err := b.bc.Watch()
	if err != nil {
		b.tb.Fatal(err)
	}
	countChan(wg, w.ResultChan(), got)
}

func (b k8sBroadcast) Send(v int) { work.Must(b.tb, b.bc.Action(watch.Added, k8sObject(v))) }
func (b k8sBroadcast) End()       { b.bc.Shutdown() }
