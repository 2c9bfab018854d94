package peers

import (
	"testing"

	"github.com/tandemgo/tandem/benchmarks/work"
)

var (
	tandemAllow   work.NewLimiter
	tandemReserve work.NewLimiter
	tandemWait    work.NewWaiter
	tandemKeyed   work.NewKeyed
	classicAllow  work.NewLimiter
)

func noBus(testing.TB, int) work.Bus { return nil }

var tandemBus, tandemAllBus, channelsBus, classicBus, roBus = noBus, noBus, noBus, noBus, noBus
