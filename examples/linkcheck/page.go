package main

import "strings"

// A Page is one document with its links and anchors.
type Page struct {
	Name     string // path below the root with slashes, or the URL
	At       string // where the URL has led to
	Markdown bool   // with anchors that compare without case, as on GitHub
	Other    bool   // an image, a film: what its fragments mean is not known
	Links    []Link
	Anchors  map[string]bool
	Err      error // the read error; then Links and Anchors are empty
}

// A Link is one reference, as written.
type Link struct {
	Page   string // Name of the page it is on, or where that is
	Line   int    // 1-based
	Target string
}

// HasAnchor reports whether the page has the target of a fragment.
func (p Page) HasAnchor(fragment string) bool {
	fragment, _, _ = strings.Cut(fragment, ":~:") // what follows is a text to look for
	if p.Other {
		return true
	}
	switch strings.ToLower(fragment) {
	case "", "top": // the start of any document, by the HTML standard
		return true
	}
	fragment = p.fold(fragment)
	return p.Anchors[fragment] ||
		// GitHub prefixes ids with this, accepts both forms, and compares without case.
		p.Anchors["user-content-"+strings.ToLower(fragment)] || p.Anchors[strings.TrimPrefix(fragment, "user-content-")]
}

func (p *Page) fold(id string) string {
	if p.Markdown {
		return strings.ToLower(id)
	}
	return id
}

func (p *Page) addAnchor(id string) {
	if id == "" {
		return
	}
	if p.Anchors == nil {
		p.Anchors = map[string]bool{}
	}
	p.Anchors[p.fold(id)] = true
}

func (p *Page) addLink(line int, target string) {
	if target = strings.TrimSpace(target); target != "" {
		p.Links = append(p.Links, Link{Page: p.Name, Line: line, Target: target})
	}
}
