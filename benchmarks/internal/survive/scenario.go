// Package survive tries the faults of Tandem's list on other libraries, each by its own
// interface, used as documented. Each trial has its own process, since it may hang or
// crash. If the documentation declares the behaviour, or leaves it to the caller, the
// outcome is by contract.
package survive

import (
	"slices"
	"strings"
)

// An Outcome is the outcome of a trial.
type Outcome string

// The outcomes.
const (
	Survives   Outcome = "survives"
	Hangs      Outcome = "hangs"
	Crashes    Outcome = "crashes"
	Leaks      Outcome = "leaks" // correct, but goroutines are left
	Wrong      Outcome = "wrong" // missing, surplus, repeated or in the wrong order
	ByContract Outcome = "by contract"
)

const (
	tandem    = "tandem"
	byHand    = "channels" // written by hand, with a context if needed
	byClassic = "classic"  // as in tutorials
)

// Ours reports whether a peer is Tandem, in any form of use.
func Ours(peer string) bool { return strings.HasPrefix(peer, tandem) }

// A Scenario is one fault, tried on one library.
type Scenario struct {
	Kind  string // of libraries
	Fault string // its id
	Peer  string
	// Run returns nil if the library has survived, and otherwise an error that
	// describes the fault. It runs in a synctest bubble, where events come at once and
	// missing events are detected, so no outcome depends on the speed of the machine.
	Run func() error
	// Before is called before Run and outside of the bubble. It may be nil.
	Before func()
	// Real is true if the library reads the clock without package time, so that it
	// cannot run in a bubble. Run must then be correct at any speed.
	Real bool
	// Contract is the place in the documentation that declares this behaviour or leaves
	// it to the caller. It counts only if the library does not survive.
	Contract string
	// Remark is a remark on the outcome if the library does not survive.
	Remark string
}

// Name returns the unique name of the scenario.
func (s Scenario) Name() string { return s.Kind + "/" + s.Fault + "/" + s.Peer }

// A Result is a scenario with its outcome.
type Result struct {
	Scenario
	Outcome Outcome
	Seen    Outcome // the outcome without regard to the contract
	Detail  string
}

// kinds are the titles of the kinds of libraries with the same scenarios.
var kinds = []string{"Pools", "Pipelines and fan-out", "Rate limiters", "Broadcast"}

// All returns all scenarios, by kind of library.
func All() (all []Scenario) {
	for i, scenarios := range [][]Scenario{
		slices.Concat(poolTasks, poolEnds, poolResults, poolWaits, poolContexts),
		slices.Concat(flows, fans),
		slices.Concat(limits, limitWaits, limitClocks),
		buses,
	} {
		for _, s := range scenarios {
			s.Kind = kinds[i]
			all = append(all, s)
		}
	}
	return all
}

// documented is the place of the contract in the documentation, by peer.
type documented map[string]string

// each makes a scenario of one fault for each peer.
func each[T any](fault string, peers map[string]T, run func(T) error, contracts documented) (all []Scenario) {
	for name, p := range peers {
		all = append(all, Scenario{Fault: fault, Peer: name, Run: func() error { return run(p) }, Contract: contracts[name]})
	}
	slices.SortFunc(all, func(a, b Scenario) int { return strings.Compare(a.Peer, b.Peer) })
	return all
}

// with changes the scenarios of some peers.
func with(all []Scenario, change func(*Scenario), peers ...string) []Scenario {
	for i := range all {
		if slices.Contains(peers, all[i].Peer) {
			change(&all[i])
		}
	}
	return all
}

// but returns peers without the named ones.
func but[T any](peers map[string]T, names ...string) map[string]T {
	rest := map[string]T{}
	for name, p := range peers {
		if !slices.Contains(names, name) {
			rest[name] = p
		}
	}
	return rest
}

// only returns the named peers.
func only[T any](peers map[string]T, names ...string) map[string]T {
	some := map[string]T{}
	for _, name := range names {
		some[name] = peers[name]
	}
	return some
}

func real(s *Scenario) { s.Real = true }

func remark(text string) func(*Scenario) { return func(s *Scenario) { s.Remark = text } }
