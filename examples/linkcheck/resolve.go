package main

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// against resolves target against the base URL of an HTML document, if the document has
// one.
func against(base, target string) string {
	if base == "" || strings.HasPrefix(target, "#") {
		return target
	}
	b, err := url.Parse(base)
	if err != nil {
		return target
	}
	if b.Host == "" && !strings.HasPrefix(b.Path, "/") {
		// Relative to the document, whose URL is not known here.
		t, err := url.Parse(target)
		if err != nil || t.Scheme != "" || t.Host != "" || strings.HasPrefix(t.Path, "/") {
			return target
		}
		return base[:strings.LastIndex(base, "/")+1] + target
	}
	t, err := b.Parse(target)
	if err != nil {
		return target
	}
	return t.String()
}

// other matches a URL with a scheme that is not checked. It may have any text behind that.
var other = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*:`)

// parseTarget returns the URL of a link, or nil if it cannot be checked: it has another
// scheme, or is a template that was not filled in.
func parseTarget(target string) (*url.URL, error) {
	if strings.Contains(target, "{{") || strings.Contains(target, "${") {
		return nil, nil
	}
	target = strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(target) // as browsers do
	if scheme := strings.ToLower(other.FindString(target)); scheme != "" && scheme != "http:" && scheme != "https:" {
		return nil, nil
	}
	u, err := url.Parse(target)
	if err != nil {
		// Its text repeats the target, which the report contains.
		if e, ok := err.(*url.Error); ok {
			err = e.Err
		}
		return nil, fmt.Errorf("not a URL: %w", err)
	}
	if u.Scheme != "" && u.Host == "" {
		return nil, fmt.Errorf("URL has no host")
	}
	return u, nil
}

// localName returns the slash-separated name of the file that u on the given page
// refers to, relative to the root of the tree. It may lie above the root.
func localName(page string, u *url.URL) string {
	switch {
	case u.Path == "":
		return page
	case strings.HasPrefix(u.Path, "/"):
		return path.Clean(strings.TrimLeft(u.Path, "/"))
	}
	return path.Join(path.Dir(page), u.Path)
}
