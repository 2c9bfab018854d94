package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// A Finding is one broken link, or one document that could not be read. The latter has
// no line and no target.
type Finding struct {
	Page   string `json:"page"`
	Line   int    `json:"line,omitempty"`
	Target string `json:"target,omitempty"`
	Reason string `json:"reason"`
}

func (f Finding) String() string {
	if f.Target == "" {
		return fmt.Sprintf("%s: %s", f.Page, f.Reason)
	}
	target := f.Target
	if strings.ContainsFunc(target, unicode.IsControl) {
		target = strconv.Quote(target)
	}
	return fmt.Sprintf("%s:%d: %s: %s", f.Page, f.Line, target, f.Reason)
}

// A Report is the outcome of a run, complete or interrupted.
type Report struct {
	Root     string    `json:"root"`
	Pages    int       `json:"pages"`
	Links    int       `json:"links"`
	Checked  int       `json:"checked"` // of Links; the others are external
	Findings []Finding `json:"broken"`
	Stopped  string    `json:"stopped,omitempty"` // the reason for an incomplete run
}

// OK reports whether the run is complete and has no finding.
func (r Report) OK() bool { return len(r.Findings) == 0 && r.Stopped == "" }

// WriteText writes a line for each finding and a summary.
func (r Report) WriteText(w io.Writer) error {
	for _, f := range r.Findings {
		if _, err := fmt.Fprintln(w, f); err != nil {
			return err
		}
	}
	if r.Stopped != "" {
		if _, err := fmt.Fprintf(w, "stopped early: %s; what follows is partial\n", r.Stopped); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d pages, %d links, %d checked, %d broken\n", r.Pages, r.Links, r.Checked, len(r.Findings))
	return err
}

// WriteJSON writes the report as one JSON object.
func (r Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// A recorder collects the report during the run. It is safe for concurrent use.
type recorder struct {
	mu     sync.Mutex
	report Report
}

// page counts a page, and returns a finding if the page could not be read.
func (r *recorder) page(p Page) *Finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Pages++
	r.report.Links += len(p.Links)
	if p.Err == nil {
		return nil
	}
	return r.addLocked(Finding{Page: p.Name, Reason: "cannot be read: " + p.Err.Error()})
}

// link counts a checked link, and returns a finding if the link is broken.
func (r *recorder) link(l Link, reason string) *Finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Checked++
	if reason == "" {
		return nil
	}
	return r.addLocked(Finding{Page: l.Page, Line: l.Line, Target: l.Target, Reason: reason})
}

func (r *recorder) addLocked(f Finding) *Finding {
	r.report.Findings = append(r.report.Findings, f)
	return &f
}

func (r *recorder) broken() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.report.Findings)
}

func (r *recorder) stop(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Stopped = why
}

// snapshot returns the report so far, sorted.
func (r *recorder) snapshot() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	rep := r.report
	rep.Findings = append([]Finding{}, rep.Findings...) // [] instead of null in JSON
	slices.SortFunc(rep.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Page, b.Page), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Target, b.Target))
	})
	return rep
}
