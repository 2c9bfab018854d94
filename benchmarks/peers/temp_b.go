package peers

import "github.com/tandemgo/tandem/benchmarks/work"

// Until the files of these peers are there.
func init() {
	work.Add(work.Peer{
		Name:    "tandem",
		Allow:   tandemAllow,
		Reserve: tandemReserve,
		Wait:    tandemWait,
		Keyed:   tandemKeyed,
	})
	work.Add(work.Peer{Name: "classic", Allow: classicAllow})
}
