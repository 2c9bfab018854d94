package main

import (
	"context"
	"fmt"
	"net/url"

	"github.com/tandemgo/tandem/pipeline"
)

// A site is all pages of one host that can be reached from a first page.
type site struct {
	start    *url.URL
	client   *client
	workers  int
	maxPages int
	pages    map[string]Page // by URL without fragment; read-only once load has returned
}

// load crawls the site level by level: links found on one level are fetched on the
// next.
func (s *site) load(ctx context.Context, seen func(Page)) error {
	s.pages = map[string]Page{}
	fetch := pipeline.Map(func(ctx context.Context, u string) (Page, error) {
		page, err := s.client.page(ctx, u)
		if err != nil && ctx.Err() == nil {
			page, err = Page{Name: u, Err: err}, nil // a finding, not the end of the run
		}
		return page, err
	}, pipeline.WithName("fetch"), pipeline.WithWorkers(s.workers))

	known := map[string]bool{}
	for level := []string{plain(s.start)}; len(level) > 0; {
		for _, u := range level {
			known[u] = true
		}
		var next []string
		for page, err := range fetch.Run(ctx, pipeline.Values(level...)) {
			if err != nil {
				return err
			}
			s.pages[page.Name] = page
			if page.Err != nil && page.Name != plain(s.start) {
				page.Err = nil // reported for each link to the page
			}
			seen(page)
			for _, l := range page.Links {
				u, err := s.resolve(l)
				if err != nil || u == nil || !s.inside(u) || known[plain(u)] {
					continue
				}
				if len(known) == s.maxPages {
					return fmt.Errorf("more than %d pages (see -max-pages)", s.maxPages)
				}
				known[plain(u)] = true
				next = append(next, plain(u))
			}
		}
		level = next
	}
	return nil
}

func (s *site) links(yield func(Link) bool) { eachLink(s.pages, yield) }

func (s *site) inside(u *url.URL) bool { return u.Host == "" || u.Host == s.start.Host }

// resolve returns the absolute URL of l, or nil if it cannot be checked.
func (s *site) resolve(l Link) (*url.URL, error) {
	u, err := parseTarget(l.Target)
	if err != nil || u == nil {
		return nil, err
	}
	page, err := url.Parse(l.Page)
	if err != nil {
		return nil, err
	}
	return page.ResolveReference(u), nil
}

func (s *site) check(l Link, u *url.URL) string {
	abs, err := s.resolve(l)
	if err != nil {
		return err.Error()
	}
	switch page, ok := s.pages[plain(abs)]; {
	case !ok:
		return "not reached before the run stopped"
	case page.Err != nil:
		return page.Err.Error()
	case !page.HasAnchor(abs.Fragment):
		return "no such anchor"
	}
	return ""
}

// plain returns u without its fragment, and with the path as in requests.
func plain(u *url.URL) string {
	c := *u
	c.Fragment, c.RawFragment = "", ""
	if c.Path == "" {
		c.Path = "/"
	}
	return c.String()
}
