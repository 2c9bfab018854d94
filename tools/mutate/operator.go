package main

import (
	"regexp"
	"slices"
)

// An operator makes mutants of one kind.
type operator struct {
	name       string
	says       string
	concurrent bool // counts for the share that is asked for
	// find adds the mutants at a site. It sees every node of a file.
	find func(s site, add func(at span, edits ...edit))
}

// operators holds all of them. The earlier ones are the more telling ones.
var operators = []*operator{
	{"unlock", "an Unlock is dropped", true, findUnlock},
	{"lock", "a function does without a lock that it takes", true, findLock},
	{"handover", "what is done as a context ends, or on an error, is left undone", true, findHandover},
	{"signal", "a Signal, Broadcast, close, or a send without a result is dropped", true, findSignal},
	{"wake-one", "one is woken instead of all", true, findWakeOne},
	{"wait-once", "the loop around a wait does not look again", true, findWaitOnce},
	{"deaf", "the end of a context is not noticed", true, findDeaf},
	{"recheck", "a second look, behind a lock or an atomic operation, is ignored", true, findRecheck},
	{"unbuffered", "a channel of capacity 1 has none", true, findUnbuffered},
	{"cas", "a CompareAndSwap is a Store", true, findCompareAndSwap},
	{"store", "an atomic operation without a result is dropped", true, findStore},
	{"defer", "a deferred call is dropped", true, findDefer},
	{"swap", "a value is published before what it stands for is written", true, findSwap},
	{"compare", "< is <=, or the other way round; the same with >", false, findCompare},
}

func names(names ...string) func(string) bool {
	return func(name string) bool { return slices.Contains(names, name) }
}

// What the calls are named that the operators look for.
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

// isSync reports whether a call of this name is seen by other goroutines.
func isSync(name string) bool {
	return isLock(name) || isUnlock(name) || isAtomic(name) || isSignal(name) || isWait(name) || isArming(name) || name == "Load"
}
