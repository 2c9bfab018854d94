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
		Bus:     tandemBus,
	})
	work.Add(work.Peer{Name: "tandem-all", Bus: tandemAllBus})
	work.Add(work.Peer{Name: "ro", Module: "github.com/samber/ro", Bus: roBus, Synchronous: true})
	work.Add(work.Peer{Name: "channels", Bus: channelsBus})
	work.Add(work.Peer{Name: "classic", Allow: classicAllow, Bus: classicBus})
}
