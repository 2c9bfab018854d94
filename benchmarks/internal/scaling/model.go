package scaling

import "fmt"

// mostCores is how many cores the model goes up to.
const mostCores = 64

var shownCores = []int{1, 2, 4, 8, 16, 32, 64}

const aboutModel = `
## More cores, on paper

An engine has a section that one goroutine at a time can be in: under a lock, at a
word that has to be in its cache, in a stage that is one goroutine. The rest of an
item's work any core can do while others do theirs. So a core is a customer in a
closed queueing network, works for a while, queues for the section, and begins again:
the machine-repairman model. Its throughput is worked out exactly, by mean value
analysis (Reiser and Lavenberg 1980; Lazowska, Zahorjan, Graham and Sevcik,
*Quantitative System Performance*, 1984, chapter 6), and simulated event by event,
to see that one agrees with the other.

What goes in is measured. *All* is an item with GOMAXPROCS 1 and n = %s. *Section*
is the section by itself: *near* with GOMAXPROCS 1, *far* with 2, where its cache
lines come from the other core. What is not section is *alone*. *Limit* is what the
section lets through, whatever the number of cores. *Simulated* is 8 cores with tasks
of 0, as the model has it ÷ as simulated: with times that are distributed
exponentially, as the analysis assumes, and with constant ones, which queue less.
`

const aboutMore = `
From how many cores on the section is the limit: where the line that rises with the
cores meets the one that the section draws. Close to it both hold each other up a
little, which the figures below take into account.
`

const aboutChecks = `
### Checked where it can be

Items a second as predicted ÷ as measured. With GOMAXPROCS 1 and tasks of 0 there is
nothing to predict. Above 1 the model is too hopeful: it knows neither of goroutines
that park and have to be woken, nor of what the cores do to each other's memory, nor
of other programs on the machine.
`

const aboutLimits = `
### What this machine cannot tell

It has two cores. So nothing above two is measured: with GOMAXPROCS 8 there are more
goroutines at a time and no more cores, which shows what it costs to be interrupted
inside a section, and says nothing about eight cores. A cache line that comes from the
other core of two takes one time here; from another cluster of cores, or another
socket, it takes several times as long, and the section gets longer with it. A lock
that eight cores wait for is not as fast as one that two wait for. Memory bandwidth is
shared, and not in the model. So the limit is an upper bound, and the number of cores
from which a section limits may come earlier than it says.
`

func model(m *markdown, s series) {
	var laws []law
	for _, e := range engines {
		if l, ok := s.lawOf(e); e.part != "" && ok {
			laws = append(laws, l)
		}
	}
	if len(laws) == 0 {
		return
	}
	m.printf(aboutModel, count(modelled))
	m.printf("\n")
	m.header("work", "section", "all, ns", "near, ns", "far, ns", "alone, ns", "limit, M/s", "simulated", "constant")
	for _, l := range laws {
		w := l.network(0)
		x := w.throughput(8)[7]
		m.row(l.pkg, l.section, figure(l.all), figure(l.near), figure(l.far), figure(l.alone), millions(1e9*w.limit()),
			figure(x/w.simulate(8, simulated, exponential, 1)), figure(x/w.simulate(8, simulated, constant, 1)))
	}
	m.printf("%s\n", aboutMore)
	cells := []string{"work"}
	for _, c := range costs {
		cells = append(cells, "task of "+c.name)
	}
	m.header(cells...)
	for _, l := range laws {
		cells := []string{l.pkg}
		for _, c := range costs {
			cells = append(cells, count(l.saturated(c.ns)))
		}
		m.row(cells...)
	}
	for i, c := range costs {
		m.printf("\nItems a second, with a task of %s, by cores:\n\n", c.name)
		predictions(m, laws, c.ns)
		m.printf("\n![Items a second, with a task of %s](%s)\n", c.name, modelChart(i))
	}
	checks(m, s, laws)
	m.printf("%s", aboutLimits)
}

// simulated is how many items a simulation has.
const simulated = 50_000

func predictions(m *markdown, laws []law, cost float64) {
	cells := []string{"work"}
	for _, n := range shownCores {
		cells = append(cells, count(n))
	}
	m.header(cells...)
	for _, l := range laws {
		xs := l.predict(cost, mostCores)
		cells := []string{l.pkg}
		for _, n := range shownCores {
			cells = append(cells, short(xs[n-1]))
		}
		m.row(cells...)
	}
}

func checks(m *markdown, s series, laws []law) {
	m.printf("%s\n", aboutChecks)
	cells := []string{"work"}
	for _, c := range costs {
		for procs := 1; procs <= 2; procs++ {
			cells = append(cells, fmt.Sprintf("%s, %d", c.name, procs))
		}
	}
	m.header(cells...)
	for _, l := range laws {
		cells := []string{l.pkg}
		for _, c := range costs {
			for procs := 1; procs <= 2; procs++ {
				cell := "–"
				if x, ok := s.measured(l.pkg, c.work, procs); ok {
					cell = figure(l.predict(c.ns, 2)[procs-1] / x)
				}
				cells = append(cells, cell)
			}
		}
		m.row(cells...)
	}
}

// next says what limits each package next.
func next(m *markdown, s series) {
	m.printf("\n## What limits each package next\n")
	for _, e := range engines {
		m.printf("\n**%s.** %s", e.pkg, e.next)
		if l, ok := s.lawOf(e); e.part != "" && ok {
			m.printf(" On paper: %s million a second at most, from %s on with tasks of %s, from %s with %s.",
				millions(1e9*l.network(0).limit()),
				cores(l.saturated(costs[0].ns)), costs[0].name, cores(l.saturated(costs[1].ns)), costs[1].name)
		}
		m.printf("\n")
	}
}
