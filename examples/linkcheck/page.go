package main

import "strings"

// A Page is one document and what was found in it.
type Page struct {
	Name    string // path below the root with slashes, or the URL
	Links   []Link
	Anchors map[string]bool
	Err     error // why it could not be read; then there is nothing else
}

// A Link is one reference, as written.
type Link struct {
	Page   string // Name of the page it is on
	Line   int    // 1-based
	Target string
}

// HasAnchor reports whether a fragment leads somewhere on the page.
func (p Page) HasAnchor(fragment string) bool {
	switch strings.ToLower(fragment) {
	case "", "top": // the start of any document, by the HTML standard
		return true
	}
	return p.Anchors[fragment] ||
		// Code hosts put this in front of ids and take either form.
		p.Anchors["user-content-"+fragment] || p.Anchors[strings.TrimPrefix(fragment, "user-content-")]
}

func (p *Page) addAnchor(id string) {
	if id == "" {
		return
	}
	if p.Anchors == nil {
		p.Anchors = map[string]bool{}
	}
	p.Anchors[id] = true
}

func (p *Page) addLink(line int, target string) {
	if target = strings.TrimSpace(target); target != "" {
		p.Links = append(p.Links, Link{Page: p.Name, Line: line, Target: target})
	}
}
