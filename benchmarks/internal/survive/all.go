package survive

import (
	"slices"
	"strings"
)

const (
	tandem   = "tandem"
	channels = "channels" // what one writes by hand with a context, where it takes one
	classic  = "classic"  // what tutorials show
)

// A Kind is a kind of libraries that are asked the same.
type Kind struct {
	Title     string
	Scenarios []Scenario
}

// Kinds are all scenarios, by kind of library.
var Kinds = []Kind{
	kind("Pools", slices.Concat(poolTasks, poolEnds, poolResults, poolWaits, poolContexts)),
	kind("Pipelines and fan-out", slices.Concat(flows, fans)),
	kind("Rate limiters", slices.Concat(limits, limitWaits, limitClocks)),
	kind("Broadcast", buses),
}

func kind(title string, scenarios []Scenario) Kind {
	for i := range scenarios {
		scenarios[i].Kind = title
	}
	return Kind{title, scenarios}
}

// All returns all scenarios.
func All() (all []Scenario) {
	for _, k := range Kinds {
		all = append(all, k.Scenarios...)
	}
	return all
}

// Ours reports whether a peer is Tandem, in one form or another.
func Ours(peer string) bool { return strings.HasPrefix(peer, tandem) }

// documented is where contracts are written, by peer.
type documented map[string]string

// each makes a scenario of one fault for each peer.
func each[T any](fault string, peers map[string]T, run func(T) error, contracts documented) (all []Scenario) {
	for name, p := range peers {
		all = append(all, Scenario{Fault: fault, Peer: name, Run: func() error { return run(p) }, Contract: contracts[name]})
	}
	slices.SortFunc(all, func(a, b Scenario) int { return strings.Compare(a.Name(), b.Name()) })
	return all
}

// remark adds what to know of the scenarios of one peer.
func remark(all []Scenario, peer, text string) []Scenario {
	for i := range all {
		if all[i].Peer == peer {
			all[i].Remark = text
		}
	}
	return all
}

// but is peers without some.
func but[T any](peers map[string]T, names ...string) map[string]T {
	rest := map[string]T{}
	for name, p := range peers {
		if !slices.Contains(names, name) {
			rest[name] = p
		}
	}
	return rest
}

// inReal says of the scenarios of some peers that they must have the real clock.
func inReal(all []Scenario, peers ...string) []Scenario {
	for i := range all {
		all[i].Real = slices.Contains(peers, all[i].Peer)
	}
	return all
}
