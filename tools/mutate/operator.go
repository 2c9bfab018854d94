package main

import (
	"go/ast"
	"regexp"
	"slices"
)

// An operator makes mutants of one kind.
type operator struct {
	name string
	says string
	// find adds the mutants at a site. It is called for every node of a file.
	find func(s site, add func(at ast.Node, edits ...edit))
}

// operators holds all operators, the more useful ones first.
var operators = []*operator{
	{"unlock", "an Unlock is dropped", findUnlock},
	{"lock", "a function does without a lock that it takes", findLock},
	{"handover", "what is done as a context ends, or on an error, is left undone", findHandover},
	{"signal", "a Signal, Broadcast, close, or a send without a result is dropped", findSignal},
	{"wake-one", "one is woken instead of all", findWakeOne},
	{"deaf", "the end of a context is not noticed", findDeaf},
	{"recheck", "a second look, behind a lock or an atomic operation, is ignored", findRecheck},
	{"unbuffered", "a channel of capacity 1 has none", findUnbuffered},
	{"cas", "a CompareAndSwap is a Store", findCompareAndSwap},
	{"store", "an atomic operation without a result is dropped", findStore},
	{"defer", "a deferred call is dropped", findDefer},
}

func names(names ...string) func(string) bool {
	return func(name string) bool { return slices.Contains(names, name) }
}

// The names of the calls that the operators look for.
var (
	isLock    = names("Lock", "RLock", "TryLock", "TryRLock")
	isUnlock  = names("Unlock", "RUnlock")
	isAtomic  = names("Store", "Swap", "Add", "And", "Or", "CompareAndSwap")
	isSignal  = regexp.MustCompile(`^(Signal|Broadcast|Ring|wake.*|rouse)$`).MatchString
	isWait    = regexp.MustCompile(`^([Ww]ait|[Pp]ark|ParkCtx|[Ss]leep)$`).MatchString
	isArming  = regexp.MustCompile(`^(Arm.*|push|append|watch)$`).MatchString
	isContext = regexp.MustCompile(`(\.Done\(\)|^done|\.done)$`).MatchString
	isFailure = regexp.MustCompile(`\b[a-z]*([eE]rr|\.Err\(\w*\)) != nil`).MatchString
)

// isSync reports whether other goroutines can observe a call of this name.
func isSync(name string) bool {
	return isLock(name) || isUnlock(name) || isAtomic(name) || isSignal(name) || isWait(name) || isArming(name) || name == "Load"
}
