// Package survive tries the faults of Tandem's list on other libraries, each
// through its own interface, as its documentation says to use it: who survives
// what. Each trial is a process of its own, since it may hang or crash. Where the
// documentation says that something is up to the caller, that is by contract.
package survive

// An Outcome is what became of a trial.
type Outcome string

// The outcomes.
const (
	Survives   Outcome = "survives"
	Hangs      Outcome = "hangs"
	Crashes    Outcome = "crashes"
	Leaks      Outcome = "leaks" // all was well, but goroutines are left
	Wrong      Outcome = "wrong" // too few, too many, twice, or in the wrong order
	ByContract Outcome = "by contract"
)

// A Scenario is one fault, tried on one library.
type Scenario struct {
	Kind  string // the title of its kind
	Fault string // its id
	Peer  string
	// Run returns nil if the library has survived; an error says what is wrong. It
	// runs in a synctest bubble, so that what it waits for comes at once, and what
	// never comes is known never to come: nothing depends on how fast a machine is.
	Run func() error
	// Before is called before Run and outside of the bubble. It may be nil.
	Before func()
	// Real says that the library looks at the clock behind the back of package time,
	// so that there must be no bubble. Then Run must be right however long it takes.
	Real bool
	// Contract is where the documentation says that this is how it is, or is up to
	// the caller. It counts only if the library does not survive.
	Contract string
	// Remark is what to know of an outcome besides, if the library does not survive.
	Remark string
}

// Name names a scenario among all.
func (s Scenario) Name() string { return s.Kind + "/" + s.Fault + "/" + s.Peer }

// A Result is a scenario with its outcome.
type Result struct {
	Scenario
	Outcome Outcome
	Seen    Outcome // what it was before the contract was looked at
	Detail  string
}
