package natscast

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const testPeriod = time.Second

// step is a label or an event, and the expected finding.
type step struct {
	after time.Duration // since the step before
	label string        // kind, epoch and number, "" for none
	lost  bool          // the connection was lost
	want  finding
	gone  int // origins that have fallen silent
}

// parseLabel reads one label.
func parseLabel(s string) (label, bool) { return new(labelReader).read(s) }

func TestFindings(t *testing.T) {
	none := finding{}
	missed := func(n uint64) finding { return finding{missed: n} }
	unknown, twice := finding{unknown: true}, finding{twice: true}
	tests := map[string][]step{
		"in order": {{label: "v e 0"}, {label: "v e 1"}, {label: "b e 2"}, {label: "v e 2"}},
		"a gap":    {{label: "v e 0"}, {label: "v e 5", want: missed(4)}, {label: "v e 6"}},
		"twice, and late": {
			{label: "v e 0"}, {label: "v e 0", want: twice}, {label: "v e 3", want: missed(2)},
			{label: "v e 1", want: twice}, {label: "v e 4"},
		},
		"a lost tail is seen by a beat":                  {{label: "v e 0"}, {label: "b e 3", want: missed(2)}, {label: "b e 3"}},
		"a lost tail is seen by a goodbye":               {{label: "v e 0"}, {label: "g e 3", want: missed(2)}},
		"a late beat says nothing":                       {{label: "v e 0"}, {label: "v e 1"}, {label: "b e 1"}, {label: "v e 2"}},
		"a value behind a goodbye that was lost with it": {{label: "b e 0"}, {label: "g e 1", want: missed(1)}, {label: "b f 0"}, {label: "v f 0"}},
		"it was there before":                            {{label: "v e 17"}, {label: "v e 18"}},
		"it was there before, and so did a beat":         {{label: "b e 17"}, {label: "v e 18", want: missed(1)}},
		"started again":                                  {{label: "v e 3"}, {label: "b f 0", want: unknown}, {label: "v f 0"}},
		"started again, and has sent":                    {{label: "v e 3"}, {label: "v f 2", want: unknown}, {label: "v f 3"}},
		"closed and started again":                       {{label: "v e 3"}, {label: "g e 4"}, {label: "b f 0"}, {label: "v f 0"}},
		"new, while the connection was lost":             {{lost: true}, {label: "v e 2", want: unknown}, {label: "v e 3"}},
		"new, after it was lost":                         {{lost: true}, {label: "b e 0"}, {label: "v e 0"}},
		"known, while the connection was lost":           {{label: "v e 2"}, {lost: true}, {label: "v e 7", want: missed(4)}},
		"a number that can't be":                         {{label: "v e 2"}, {label: "v e 18446744073709551615", want: unknown}},
		"it falls silent":                                {{label: "v e 2"}, {after: 4 * testPeriod, gone: 1}, {after: 4 * testPeriod}, {label: "v e 4", want: missed(1)}},
		"it falls silent twice": {
			{label: "v e 2"}, {after: 4 * testPeriod, gone: 1}, {label: "b e 3"}, {after: 4 * testPeriod, gone: 1},
		},
		"it is silent for not long enough":    {{label: "v e 2"}, {after: 2 * testPeriod}, {label: "b e 3"}, {after: 2 * testPeriod}},
		"silent after a goodbye":              {{label: "v e 2"}, {label: "g e 3"}, {after: 9 * testPeriod}},
		"silent while the connection is lost": {{label: "v e 2"}, {after: 2 * testPeriod}, {lost: true}, {after: 2 * testPeriod}, {after: 2 * testPeriod, gone: 1}},
		"forgotten":                           {{label: "v e 2"}, {after: 4 * testPeriod, gone: 1}, {after: 30 * testPeriod}, {label: "v e 9", want: none}},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			o := origins{known: map[string]*origin{}}
			now := time.Now()
			for i, s := range steps {
				now = now.Add(s.after)
				o.take(label{kindBeat, "own", "x", 0, testPeriod.Milliseconds()}, now) // we are not silent
				switch {
				case s.lost:
					o.lost(now)
				case s.label != "":
					l, ok := parseLabel(s.text())
					if !ok {
						t.Fatalf("step %d: %q can't be read", i, s.text())
					}
					if diff := cmp.Diff(s.want, o.take(l, now), cmp.AllowUnexported(finding{})); diff != "" {
						t.Errorf("step %d (-want +got):\n%s", i, diff)
					}
				}
				if n := o.silent(now, "own"); n != s.gone {
					t.Errorf("step %d: %d have fallen silent, want %d", i, n, s.gone)
				}
			}
		})
	}
}

// text returns the header of a step.
func (s step) text() string {
	var k, epoch, seq = s.label[:1], s.label[2:3], s.label[4:]
	return k + " " + seq + " 1000 " + epoch + " them"
}

// If our own messages do not come back, the other origins do not count as silent.
func TestOwnSilence(t *testing.T) {
	o := origins{known: map[string]*origin{}}
	now := time.Now()
	for _, name := range []string{"own", "them"} {
		o.take(label{kindBeat, name, "x", 0, testPeriod.Milliseconds()}, now)
	}
	now = now.Add(5 * testPeriod)
	if n := o.silent(now, "own"); n != 0 {
		t.Errorf("%d have fallen silent", n)
	}
	o.take(label{kindBeat, "own", "x", 0, testPeriod.Milliseconds()}, now)
	if n := o.silent(now, "own"); n != 1 {
		t.Errorf("%d have fallen silent, and we have not", n)
	}
}

// Origins that have ended are forgotten.
func TestOriginsAreForgotten(t *testing.T) {
	o := origins{known: map[string]*origin{}}
	now := time.Now()
	for i := range 10_000 {
		now = now.Add(testPeriod)
		o.take(label{kindBeat, "own", "x", 0, testPeriod.Milliseconds()}, now)
		o.take(label{kindValue, time.Duration(i).String(), "x", 0, testPeriod.Milliseconds()}, now)
		o.silent(now, "own")
	}
	if n := len(o.known); n > forgotten+2 {
		t.Errorf("%d are remembered", n)
	}
}

// An origin may say that it is silent for as long as it likes.
func TestAnOriginOfLongSilence(t *testing.T) {
	all := origins{known: map[string]*origin{}}
	for _, name := range []string{"own", "o"} {
		all.take(label{kindBeat, name, "e", 0, 1<<63 - 1}, time.Unix(0, 0))
	}
	if n := all.silent(time.Unix(3600, 0), "own"); n != 0 || len(all.known) != 2 {
		t.Errorf("%d are silent, %d known", n, len(all.known))
	}
}

// A written label is read unchanged.
func TestLabels(t *testing.T) {
	var r labelReader
	for _, l := range []label{
		{kindValue, "me", "e", 0, 1}, {kindBeat, "me", "e", 12, 1}, {kindValue, "me", "f", 0, 1}, {kindValue, "me", "f", 1, 2},
		{kindBeat, "a.b/c-d", "ABC", 1<<64 - 1, 1<<63 - 1},
		{kindGoodbye, "ünïcödé", "x", 7, 32000},
	} {
		if got, ok := r.read(l.String()); !ok || got != l {
			t.Errorf("%q: %+v, %v", l.String(), got, ok)
		}
	}
	for _, bad := range []string{
		"", "v", "v 1", "v 1 1000", "v 1 1000 e", "v 1 1000 e ", "v 1 1000  o", "x 1 1000 e o", "vv 1 1000 e o",
		"v -1 1000 e o", "v 18446744073709551616 1000 e o", "v 1 0 e o", "v 1 -5 e o", "v 1 x e o", "v 1 1000 e o o",
	} {
		for _, r := range []*labelReader{new(labelReader), &r} { // a new reader and a used one
			if l, ok := r.read(bad); ok {
				t.Errorf("%q was read as %+v", bad, l)
			}
		}
	}
}

func FuzzLabel(f *testing.F) {
	f.Add("v 17 1000 epoch origin")
	f.Fuzz(func(t *testing.T, s string) {
		if l, ok := parseLabel(s); ok {
			if again, ok := parseLabel(l.String()); !ok || again != l {
				t.Errorf("%q was read as %+v, and that as %+v", s, l, again)
			}
		}
	})
}
