package work

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
)

// A Peer is one library, or one way to use it, with the works that it supports. The
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
	Reserve   NewLimiter // takes a permit for later; always succeeds
	Wait      NewWaiter
	Keyed     NewKeyed
	Bus       NewBus

	// Waiting is true if a million of its tasks can wait in a queue.
	Waiting bool
	// Synchronous is true if its stages and subscribers run on the goroutine of the
	// caller, so that none sleeps and nothing is parallel.
	Synchronous bool
}

var peers []Peer

// Add adds a peer to the comparison. It is called at the start of the program.
func Add(p Peer) {
	if slices.ContainsFunc(peers, func(q Peer) bool { return q.Name == p.Name }) {
		panic(fmt.Sprintf("work: Add: there are two peers called %s", p.Name))
	}
	peers = append(peers, p)
}

// Peers returns the peers for which can returns true: ours first, the others by name.
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

// Modules returns the modules of the peers that have one, with the versions linked into this
// program, such as "golang.org/x/sync v0.25.0".
func Modules() map[string]string {
	versions := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			versions[m.Path] = m.Version
		}
	}
	modules := map[string]string{}
	for _, p := range Peers(func(p Peer) bool { return p.Module != "" }) {
		modules[p.Name] = p.Module + " " + versions[p.Module]
	}
	return modules
}
