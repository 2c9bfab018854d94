package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/ratelimit/httplimit"
)

// A site is all pages of one host that can be reached from a first page.
type site struct {
	start    *url.URL
	client   *client
	ignored  func(Link) bool
	workers  int
	maxPages int
	hosts    []string        // of the first page, and where it has led to
	pages    map[string]Page // by URL without fragment; read-only once load has returned
}

// load crawls the site level by level: links found on one level are fetched on the
// next.
func (s *site) load(ctx context.Context, seen func(Page)) error {
	s.pages, s.hosts = map[string]Page{}, []string{host(s.start)}
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
			if at, err := url.Parse(page.At); err == nil && page.Name == plain(s.start) {
				s.hosts = append(s.hosts, host(at))
			}
			page = s.place(page, known)
			if page.Err != nil && page.Name != plain(s.start) {
				page.Err = nil // reported for each link to the page
			}
			seen(page)
			for _, l := range page.Links {
				u, err := s.resolve(l)
				if err != nil || u == nil || !s.inside(u) || known[plain(u)] || s.ignored(l) {
					continue
				}
				if len(known) >= s.maxPages {
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

// place enters a page, and returns it. If its URL has led to another one, the links belong to
// the page there, unless that is met by itself or is not a part of the site.
func (s *site) place(page Page, known map[string]bool) Page {
	if page.Err == nil && page.At != page.Name {
		if at, err := url.Parse(page.At); err == nil && s.inside(at) && !known[page.At] {
			known[page.At], s.pages[page.At] = true, page
		} else {
			page.Links = nil
		}
		bare := page
		bare.Links = nil
		s.pages[page.Name] = bare
		return page
	}
	s.pages[page.Name] = page
	return page
}

func (s *site) links(yield func(Link) bool) { eachLink(s.pages, yield) }

func (s *site) inside(u *url.URL) bool { return u.Host == "" || slices.Contains(s.hosts, host(u)) }

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

// host returns the host of a URL, the same for all names of it, and its port if that is not
// the usual one.
func host(u *url.URL) string { return httplimit.ByHost(&http.Request{URL: u}) }

// plain returns u without its fragment, and with the host and the path as in requests.
func plain(u *url.URL) string {
	c := *u
	c.Fragment, c.RawFragment = "", ""
	c.Host = strings.ToLower(c.Host)
	if c.Path == "" {
		c.Path = "/"
	}
	return c.String()
}
