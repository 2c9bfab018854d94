package survive

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tandemgo/tandem/internal/faults"
)

// A reason is why some rows are tried on Tandem only.
type reason struct {
	why string
	ids []string
}

var ours = []reason{
	{"the others have no loop over results that a library could end; FL1 asks the same of pipelines", []string{"FP10", "FF1"}},
	{"the others have no handle to cancel one task with, and no context for each", []string{"FP16", "FP17"}},
	{"to survive is to crash here, and the others hand such a panic to nobody", []string{"FP19"}},
	{"the same as FP11, FF3 and FL6, which the others are asked", []string{"FL4", "FL3", "FL8", "FF4"}},
	{"the others have no retries, and nothing to emit with that may be kept", []string{"FL9", "FL11"}},
	{"what is inside a library, as its buffers, does not show from outside, or depends on the garbage collector and the size of the heap", []string{"FL10", "FC9", "FB8", "FB11"}},
	{"it is about batches between stages, which the others do not have", []string{"FL7"}},
	{"the others do not fork a pipeline in several and join them", []string{"FL13"}},
	{"the others take slices, or push values: they have no source that is code of the caller, and no walk in which each item has its own error", []string{"FF5", "FF7"}},
	{"the same as FL12, which the others are asked", []string{"FF6"}},
	{"the same as FL5, which the others are asked", []string{"FF13"}},
	{"the others have no race and no quorum", []string{"FF8", "FF9", "FF14"}},
	{"the others do not put several limits together", []string{"FR5"}},
	{"the others have no bounded memory for keys: go-limiter forgets them after a time that its caller sets", []string{"FR12", "FR14"}},
	{"FP18 and FR10 ask the same of the others", []string{"FR13"}},
	{"a send of the others takes no context and returns no error: it does not fail and nobody gives it up", []string{"FB6", "FB9"}},
	{"the others leave the channel to the subscriber, who may still find in it what came before", []string{"FB10"}},
	{"the others that are tried here retain nothing for who comes later", []string{"FB12"}},
	{"which methods there are is different in each library, and a data race is found by the race detector", []string{"FC10"}},
}

// OnlyOurs writes the rows of which there is no scenario, and why.
func OnlyOurs(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| | What goes wrong | Why |\n|---|---|---|\n")
	for _, f := range faults.All() {
		if i := slices.IndexFunc(ours, func(r reason) bool { return slices.Contains(r.ids, f.ID) }); i >= 0 {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", f.ID, escape(f.Fault), ours[i].why)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
