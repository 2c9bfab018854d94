package work

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Peer is one library, or one way to use it, and the works that it can do; the
// others are nil.
type Peer struct {
	Name   string // lib= in the names of benchmarks
	Module string // its path in go.mod, for the version in reports; empty for code written by hand

	Tasks     NewTasks   // run tasks
	Results   NewBatches // results together, as of a group
	Futures   NewBatches // a future for each task
	Stages    NewFlow
	Ordered   NewWorkers // results in the order of the items
	Unordered NewWorkers // results as they are ready
	ForEach   ForEach
	Map       Map
	Allow     NewLimiter
	Reserve   NewLimiter // takes a permit for later; always says yes
	Wait      NewWaiter
	Keyed     NewKeyed
	Bus       NewBus

	// Waiting says that its tasks can wait in a queue, a million of them.
	Waiting bool
	// Synchronous says that its stages and subscribers run on the goroutine of
	// the caller: nobody sleeps, and nothing is in parallel.
	Synchronous bool
}

var peers []Peer

// Add adds a peer to the comparison. It is called while the program starts.
func Add(p Peer) {
	if slices.ContainsFunc(peers, func(q Peer) bool { return q.Name == p.Name }) {
		panic(fmt.Sprintf("work: Add: there are two peers called %s", p.Name))
	}
	peers = append(peers, p)
}

// Peers returns the peers for which can reports true: ours first, the others by
// name.
func Peers(can func(Peer) bool) []Peer {
	ps := slices.Clone(peers)
	ps = slices.DeleteFunc(ps, func(p Peer) bool { return !can(p) })
	slices.SortFunc(ps, func(p, q Peer) int {
		return cmp.Or(cmp.Compare(rank(p), rank(q)), cmp.Compare(p.Name, q.Name))
	})
	return ps
}

func rank(p Peer) int {
	if strings.HasPrefix(p.Name, "tandem") {
		return 0
	}
	return 1
}
