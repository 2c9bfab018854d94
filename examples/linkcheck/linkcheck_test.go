package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// command runs the program and returns what it prints.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func report(t *testing.T, args ...string) (int, Report) {
	t.Helper()
	code, out, errs := command(t, append([]string{"-json", "-quiet"}, args...)...)
	var r Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v in %q; %s", err, out, errs)
	}
	return code, r
}

func broken(r Report) []string {
	var s []string
	for _, f := range r.Findings {
		s = append(s, f.String())
	}
	return s
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Without an argument it finds the five broken links of its own site.
func TestBuiltInSite(t *testing.T) {
	code, r := report(t)
	var got []string
	for _, f := range r.Findings {
		got = append(got, strings.TrimPrefix(f.String(), r.Root))
	}
	want := []string{
		":12: guide/#teardown: no such anchor",
		":13: news.html: status 404 Not Found",
		":17: logo.png: status 404 Not Found",
		"about.html:7: ./#farewell: no such anchor",
		"about.html:10: /guide/advanced.html: status 404 Not Found",
	}
	if diff := cmp.Diff(want, got); diff != "" || code != exitBroken {
		t.Errorf("exit %d (-want +got):\n%s", code, diff)
	}
}

// In a tree of more than 2,000 files, exactly the planted broken links are found.
func TestPlantedLinksInALargeTree(t *testing.T) {
	const n = 2100
	dir := t.TempDir()
	files := map[string]string{}
	want := map[string]bool{}
	name := func(i int) string { return fmt.Sprintf("d%d/p%d.%s", i%50, i, []string{"md", "html"}[i%2]) }
	for i := range n {
		next, text := (i+1)%n, ""
		to := "../" + name(next) + "#part-" + fmt.Sprint(next)
		if i%2 == 0 {
			text = fmt.Sprintf("# Part %d\n\nSee [the next](%s).\n", i, to)
			if i%100 == 0 {
				text += "And [a gap](nowhere.md), `[no](link.md)`, ![image](no.png)\n"
				want[name(i)+":4: nowhere.md: no such file"] = true
				want[name(i)+":4: no.png: no such file"] = true
			}
		} else {
			text = fmt.Sprintf("<h1 id=part-%d>Part</h1>\n<p><a href='%s'>next</a>\n", i, to)
			if i%101 == 0 {
				text += "<a href='#missing'>x</a>"
				want[name(i)+":3: #missing: no such anchor"] = true
			}
		}
		files[name(i)] = text
	}
	write(t, dir, files)
	code, r := report(t, dir)
	got := map[string]bool{}
	for _, f := range broken(r) {
		got[f] = true
	}
	if diff := cmp.Diff(want, got); diff != "" || code != exitBroken || r.Pages != n {
		t.Errorf("exit %d, %d pages (-want +got):\n%s", code, r.Pages, diff)
	}
}

// The cases of local links.
func TestLocalLinks(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"README.md": `# Head line!

[1](#head-line) [2](docs/) [3](docs/#install-it) [4](docs/a%20b.html?x=1#one) [5](/docs/README.md)
[6](mailto:a@example.com) [7](https://example.com) [8]({{ .URL }}) <https://example.org>
[9][ref] <a href="docs/gone.html">html</a> [10](<docs/two words.md>)
[11](#head-line-1) [12](docs/../../outside.md) [13](%zz) [14](#top) [15](docs/README.md#Install-it)

## Head line!

[ref]: docs/missing.md
`,
		"docs/README.md":      "## Install *it*\n\n```md\n[code](no.md)\n```\n",
		"docs/a b.html":       `<base href="sub/"><p><a name=one></a><a href="c.html">c</a> <a href=#one>1</a> <img src=data:,x>`,
		"docs/sub/c.html":     "<p>fine",
		".hidden/x.md":        "[x](nothing)",
		"node_modules/x.md":   "[x](nothing)",
		"docs/old/archive.md": "[x](nothing)",
	})
	code, r := report(t, "-skip", "docs/old", dir)
	want := []string{
		"README.md:5: docs/gone.html: no such file",
		"README.md:5: docs/missing.md: no such file",
		"README.md:5: docs/two words.md: no such file",
		"README.md:6: %zz: not a URL: invalid URL escape \"%zz\"",
		"README.md:6: docs/../../outside.md: no such file",
	}
	if diff := cmp.Diff(want, broken(r)); diff != "" || code != exitBroken {
		t.Errorf("exit %d (-want +got):\n%s", code, diff)
	}
}

// The attributes and style sheets that refer to other documents, and those that do not.
func TestWhatIsALink(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"a.html": `<meta http-equiv=refresh content="5; url='r.html'"><link rel=preconnect href=//x>
<img src=1.png srcset="2.png, 3.png 2x,4,5.png 300w"> <video poster=6.png></video> <object data=7.svg></object>
<form action=8></form> <form method=post action=post></form> <input type=image src=9.png>
<style>
a { background: url( "10.png" ) } @import "11.css"; b { content: "no.png" }
c { background: url(12.png), url(#in-page) }
</style>
<p style="background: url('13.png')"> <link rel=preload as=image imagesrcset="14.png 1x">
`,
		"s.css":               "/* url(no.png) */\n@import url(15.css);\na { src: url(data:font/woff;x), url(16.woff) }",
		"p.md":                "# Head\n[line](p.md?plain=1#L2-L3) [case](#HEAD) [line](#L2) [ignored](https-broken) [too](gone/x)",
		".github/hidden.md":   "[x](nothing)",
		"old/a.md":            "[x](nothing)",
		"older/a.md":          "[x](nothing)",
		".git/description.md": "[x](nothing)",
	})
	_, r := report(t, "-ignore", "^https-", "-ignore", "/x$", "-skip", "old", "-skip", "older", "-hidden", dir)
	want := []string{".github/hidden.md:1: nothing: no such file"}
	for i, line := range []int{2, 2, 2, 2, 2, 3, 3, 5, 5, 6, 8, 8} {
		target := []string{"1.png", "2.png", "3.png", "4,5.png", "6.png", "8", "9.png", "10.png", "11.css", "12.png", "13.png", "14.png"}[i]
		want = append(want, fmt.Sprintf("a.html:%d: %s: no such file", line, target))
	}
	want = append(want, "a.html:1: r.html: no such file", "a.html:2: 7.svg: no such file",
		"p.md:2: #L2: no such anchor", "s.css:2: 15.css: no such file", "s.css:3: 16.woff: no such file")
	got := broken(r)
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Files are checked alone, and others as far as links lead to them.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"docs/a.md":  "[b](b.md#here) [root](/docs/b.md) [gone](gone.md)",
		"docs/b.md":  "# Here\n[x](nothing)",
		"other/c.md": "[x](nothing)",
	})
	if _, r := report(t, filepath.Join(dir, "docs", "a.md")); len(r.Findings) != 2 || r.Pages != 1 { // /docs/ is not below docs
		t.Errorf("one file: %+v", r)
	}
	t.Chdir(dir)
	_, r := report(t, "docs/a.md", "other")
	want := []string{"docs/a.md:1: gone.md: no such file", "other/c.md:1: nothing: no such file"}
	if diff := cmp.Diff(want, broken(r)); diff != "" || r.Pages != 2 {
		t.Errorf("%d pages (-want +got):\n%s", r.Pages, diff)
	}
}

// A server that asks for a pause gets one, and is asked again.
func TestRetryAfter(t *testing.T) {
	var mu sync.Mutex
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if asked++; asked == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.md": "[1](" + server.URL + ")"})
	if code, r := report(t, "-external", dir); code != exitGood || asked != 2 {
		t.Errorf("exit %d, asked %d times, %+v", code, asked, r)
	}
}

func TestAllGood(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.md": "[b](b.html)", "b.html": "<a href=a.md>a</a>"})
	code, out, errs := command(t, dir)
	if code != exitGood || out != "2 pages, 2 links, 2 checked, 0 broken\n" || !strings.Contains(errs, "checking: 2 done") {
		t.Errorf("exit %d, %q, %q", code, out, errs)
	}
}

// Bad input: exit 2 and a message that helps.
func TestUsage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, filepath.Dir(file), map[string]string{"file": ""})
	for want, args := range map[string][]string{
		"flag provided but not defined: -bogus":   {"-bogus"},
		"no such file or directory":               {filepath.Join(t.TempDir(), "gone")},
		"neither a directory nor a file of":       {file},
		"-workers must be at least 1, got 0":      {"-workers", "0"},
		"-rate must be at least 1, got -1":        {"-rate", "-1"},
		"-timeout must be more than 0, got 0s":    {"-timeout", "0"},
		"-max-pages must be at least 1, got 0":    {"-max-pages", "0"},
		"for flag -skip: syntax error in pattern": {"-skip", "["},
		"for flag -ignore: error parsing regexp":  {"-ignore", "("},
		"one URL, or directories and files, got":  {"http://a", "b"},
		"URL http:// has no host":                 {"http://"},
		"address 999999: invalid port":            {"-serve", "127.0.0.1:999999"},
	} {
		code, out, errs := command(t, args...)
		if code != exitUsage || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%q: exit %d, %q, %q; want %q", args, code, out, errs, want)
		}
	}
	if code, _, errs := command(t, "-h"); code != exitGood || !strings.Contains(errs, "usage: linkcheck") {
		t.Errorf("-h: exit %d, %q", code, errs)
	}
}

// A document or directory that cannot be read is a finding.
func TestUnreadable(t *testing.T) {
	fsys := fstest.MapFS{"good.md": {Data: []byte("[x](#y)")}, "bad.md": {Data: []byte("x")}, "dir/x.md": {Data: []byte("x")}}
	pages, err := readTree(t.Context(), sickFS{fsys}, selection{starts: []string{"."}}, 2, func(Page) {})
	if err != nil || len(pages) != 3 || pages["bad.md"].Err == nil || pages["dir"].Err == nil || pages["good.md"].Err != nil {
		t.Errorf("%v: %+v", err, pages)
	}
}

type sickFS struct{ fs.FS }

func (s sickFS) Open(name string) (fs.File, error) {
	if name == "bad.md" || name == "dir" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return s.FS.Open(name)
}

func (s sickFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == "dir" {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrPermission}
	}
	return fs.ReadDir(s.FS, name)
}

// Each external link is requested once, host by host, and a server that hangs is a
// finding, not a hang.
func TestExternal(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		asked[req.Method+" "+req.URL.Path]++
		mu.Unlock()
		switch req.URL.Path {
		case "/gone":
			http.NotFound(w, req)
		case "/nohead":
			if req.Method == http.MethodHead {
				w.WriteHeader(http.StatusMethodNotAllowed)
			}
		case "/hangs":
			select {
			case <-release:
			case <-req.Context().Done():
			}
		case "/page":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<h1 id=here>")
		}
	}))
	defer server.Close()
	defer close(release)
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.md": strings.ReplaceAll(
		"[1](U/ok) [2](U/ok) [3](U/gone) [4](U/nohead) [5](U/hangs) [6](U/page#here) [7](U/page#there) [8](http://127.0.0.1:1/)", "U", server.URL)})
	if code, r := report(t, dir); code != exitGood || r.Checked != 0 {
		t.Errorf("without -external: exit %d, %+v", code, r)
	}
	code, r := report(t, "-external", "-timeout", "2s", dir)
	var got []string
	for _, f := range r.Findings {
		reason := f.Reason
		if strings.Contains(reason, "refused") {
			reason = "refused"
		}
		got = append(got, strings.TrimPrefix(f.Target, server.URL)+": "+reason)
	}
	want := []string{
		"http://127.0.0.1:1/: refused",
		"/gone: status 404 Not Found",
		"/hangs: no answer within 2s",
		"/page#there: no such anchor",
	}
	if diff := cmp.Diff(want, got); diff != "" || code != exitBroken || r.Checked != 8 {
		t.Errorf("exit %d, %d checked (-want +got):\n%s", code, r.Checked, diff)
	}
	mu.Lock()
	defer mu.Unlock()
	if asked["HEAD /ok"] != 1 || asked["GET /nohead"] != 1 {
		t.Errorf("asked: %v", asked)
	}
}

// serve serves pages by their paths. A text such as "-> /x" leads there, and
// SELF is the host.
func serve(t *testing.T, pages map[string]string) (u string, asked func() map[string]int) {
	t.Helper()
	var mu sync.Mutex
	count := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		count[req.Method+" "+req.URL.Path]++
		mu.Unlock()
		text, ok := pages[req.URL.Path]
		to, leads := strings.CutPrefix(text, "-> ")
		switch {
		case !ok:
			http.NotFound(w, req)
		case leads:
			http.Redirect(w, req, to, http.StatusFound)
		default:
			if kind := mime.TypeByExtension(path.Ext(req.URL.Path)); kind != "" {
				w.Header().Set("Content-Type", kind)
			} else {
				w.Header().Set("Content-Type", "text/html")
			}
			fmt.Fprint(w, strings.ReplaceAll(text, "SELF", req.Host))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(count)
	}
}

// The links of a page are relative to where its URL has led, and are those of the site only
// if that is a part of it.
func TestRedirects(t *testing.T) {
	elsewhere, _ := serve(t, map[string]string{"/": "<a href=/gone>x</a>"})
	elsewhere = strings.Replace(elsewhere, "127.0.0.1", "localhost", 1)
	pages := map[string]string{
		"/": "<a href=/docs>1</a> <a href=/docs#top>2</a> <a href=/docs#one>3</a> <a href=/out>4</a>", "/out": "-> " + elsewhere,
		"/docs": "-> /docs/", "/docs/": "<p id=one><a href=a.html>5</a> <a href=gone.html>6</a>", "/docs/a.html": "<a href=../docs/>7</a>",
	}
	u, asked := serve(t, pages)
	want := []string{u + "/docs/:1: gone.html: status 404 Not Found"}
	for _, start := range []string{u, u + "/docs", u + "/docs/"} {
		if _, r := report(t, start); !slices.Equal(broken(r), want) || r.Stopped != "" {
			t.Errorf("%s: %+v", start, r)
		}
	}
	if n := asked()["GET /docs/a.html"]; n != 3 {
		t.Errorf("%d requests of a page in 3 runs", n)
	}
	moved, _ := serve(t, map[string]string{"/": "-> " + strings.Replace(u, "127.0.0.1", "LOCALHOST", 1) + "/docs/"})
	if _, r := report(t, moved); r.Pages != 3 || len(r.Findings) != 1 {
		t.Errorf("a host that leads to another one: %+v", r)
	}
}

// A host has one name in any case, and //host has the scheme of its page.
func TestOneHost(t *testing.T) {
	u, _ := serve(t, map[string]string{"/": "<a href=//SELF/a>1</a>", "/a": "<a href=/gone>2</a>"})
	_, r := report(t, strings.Replace(u, "127.0.0.1", "LOCALHOST", 1))
	if want := []string{strings.Replace(u, "127.0.0.1", "localhost", 1) + "/a:1: /gone: status 404 Not Found"}; !slices.Equal(broken(r), want) {
		t.Errorf("%+v, want %v", r, want)
	}
}

// A link that is ignored is not followed either.
func TestIgnoredLinksAreNotFollowed(t *testing.T) {
	u, asked := serve(t, map[string]string{"/": "<a href=/logout>1</a>"})
	if code, r := report(t, "-ignore", "^/logout", u); code != exitGood || asked()["GET /logout"] != 0 {
		t.Errorf("exit %d, %+v, %v", code, r, asked())
	}
}

// What a fragment means is known of documents only, and a text to look for is no anchor.
func TestFragments(t *testing.T) {
	u, asked := serve(t, map[string]string{
		"/":      "<p id=b><a href=/a.pdf#page=2>1</a> <img src=/a.svg#icon> <a href='#b:~:text=x'>2</a> <a href='#c:~:text=x'>3</a> <a href='#:~:text=x'>4</a>",
		"/a.pdf": "", "/a.svg": "",
	})
	if _, r := report(t, u); !slices.Equal(broken(r), []string{u + "/:1: #c:~:text=x: no such anchor"}) {
		t.Errorf("%+v", r)
	}
	before := asked()["GET /"]
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.md": strings.ReplaceAll("[1](U/) [2](U/#b) [3](U/#d) [4](U#e) [5](U/#:~:text=x) [6](U/#L7-L9) [7](U/#/x) [8](U/#!x)", "U", u)})
	want := []string{"a.md:1: " + u + "#e: no such anchor", "a.md:1: " + u + "/#d: no such anchor"}
	if _, r := report(t, "-external", dir); !slices.Equal(broken(r), want) || asked()["GET /"] != before+1 || asked()["HEAD /"] != 0 {
		t.Errorf("%+v, want %v; %v", r, want, asked())
	}
}

// A server that refuses HEAD in any way is asked by GET.
func TestHeadRefused(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch {
		case req.Method != http.MethodHead:
		case req.URL.Path == "/abort":
			panic(http.ErrAbortHandler)
		default:
			http.NotFound(w, req)
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.md": strings.ReplaceAll("[1](U/404) [2](U/abort)", "U", server.URL)})
	if code, r := report(t, "-external", dir); code != exitGood {
		t.Errorf("exit %d, %+v", code, r)
	}
}

// Links that other checkers have taken for broken.
func TestGoodLinks(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"data.css": `a { background: url("data:image/svg+xml;utf8,<svg fill='#000' width='100%'></svg>") } @namespace svg url(gone); @namespace "gone";`,
		"text.css": `a { background: url(a\ b.css); background: url("a\20 b.css"); background: url( "m'n.css" ); background: url("m\'n.css#x") }`,
		"a b.css":  "", "m'n.css": "",
		"a.html":    "<a href='javascript:\n f(\"100%\")'>1</a> <a href='mailto:a@b.c?subject=100%#%'>2</a> <img src='data:image/svg+xml,<svg\n>'> <a href='tel:1#%'>3</a>",
		"b.html":    "<a href='a\n.ht\tml'>1</a> <link rel='dns-prefetch preconnect' href=gone> <link rel=PRECONNECT href=gone>",
		"mark.md":   "\ufeff# Title\n\n[1](#title)",
		"lines.md":  "# Title\r\n\r\n[1](#title)\r\n\r\nNext\r\n---\r\n\r\n[2](#next)",
		"escape.md": "[1](i\\_j.md) [2](i&amp;j.md) [3](i\\(j\\).md) ![4](i&#38;j.md) [5](<i&amp;j.md>) [r]\n\n[r]: i\\_j.md",
		"i_j.md":    "", "i&j.md": "", "i(j).md": "",
		"head.md":  "<h1 align=center>\n  My <b>Title</b> &amp; more\n</h1>\n\n[1](#my-title--more)\n\n# My title & more\n\n[2](#my-title--more-1)",
		"image.md": "# A ![badge](a.html)\n\n# ½ été x²\n\n[1](#a-) [2](#-été-x)",
	})
	if code, r := report(t, dir); code != exitGood {
		t.Errorf("exit %d, %s", code, strings.Join(broken(r), "\n"))
	}
}

// A finding is one line, whatever the link has in it.
func TestFindingIsOneLine(t *testing.T) {
	if got := (Finding{Page: "a", Line: 1, Target: "b\n\x1b[2Jc", Reason: "gone"}).String(); got != `a:1: "b\n\x1b[2Jc": gone` {
		t.Errorf("%s", got)
	}
}

// A site that has no end stops at -max-pages, with a report.
func TestMaxPages(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<a href='%s/x'>deeper</a>", strings.TrimSuffix(req.URL.Path, "/"))
	}))
	defer server.Close()
	code, r := report(t, "-max-pages", "5", server.URL)
	if code != exitBroken || !strings.Contains(r.Stopped, "more than 5 pages") || r.Pages != 5 {
		t.Errorf("exit %d, %+v", code, r)
	}
}

// An interrupt prints the findings so far.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		cancel() // when the first external link is requested
		<-req.Context().Done()
	}))
	defer server.Close()
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.md": "[1](gone.md) [2](" + server.URL + ")"})
	var out bytes.Buffer
	code := run(ctx, []string{"-external", "-quiet", dir}, &out, io.Discard)
	want := "a.md:1: gone.md: no such file\nstopped early: interrupted; what follows is partial\n1 pages, 2 links, 1 checked, 1 broken\n"
	if diff := cmp.Diff(want, out.String()); diff != "" || code != exitBroken {
		t.Errorf("exit %d (-want +got):\n%s", code, diff)
	}
}

// The live page shows a run from before it began to after its end.
func TestLivePage(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.md": "[1](gone.md)"})
	pr, pw := io.Pipe()
	done := make(chan int)
	go func() {
		done <- run(ctx, []string{"-serve", "127.0.0.1:0", dir}, io.Discard, pw)
		pw.Close()
	}()
	var u string
	if _, err := fmt.Fscanf(pr, "live page at %s\n", &u); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, pr) }()
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(path string) string {
		res, err := client.Get(u + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	if page := get(""); !strings.Contains(page, "EventSource") {
		t.Errorf("page: %s", page)
	}
	events := get("events") // ends with the run
	if !strings.Contains(events, "\n\nevent: report\n") || !strings.Contains(events, "event: done\ndata: {") || !strings.Contains(events, "gone.md") {
		t.Errorf("events: %s", events)
	}
	var r Report
	if err := json.Unmarshal([]byte(get("report.json")), &r); err != nil || len(r.Findings) != 1 {
		t.Errorf("%v: %+v", err, r)
	}
	cancel()
	if code := <-done; code != exitBroken {
		t.Errorf("exit %d", code)
	}
}

// Malformed documents are parsed as far as possible.
func FuzzParse(f *testing.F) {
	f.Add("# [a](b)\n<a href='c", byte(asMarkdown))
	f.Add("<p><a href=x><<//a id=\x00<style>@import 'a", byte(asHTML))
	f.Add("[x]: <y\n[x] ![](", byte(asMarkdown))
	f.Add("@import \"a\";\nb{c:url( 'd' ) url(e", byte(asCSS))
	f.Fuzz(func(t *testing.T, src string, which byte) {
		kind := kind(which % 3)
		p := parseDocument("x", kind, []byte(src))
		for _, l := range p.Links {
			if l.Line < 1 || l.Line > strings.Count(src, "\n")+1 {
				t.Errorf("link %q on line %d of %q", l.Target, l.Line, src)
			}
		}
	})
}

// Headings get the anchors that GitHub gives them.
func TestSlugs(t *testing.T) {
	seen := map[string]int{}
	for _, tt := range [][2]string{
		{"Hello, World!", "hello-world"}, {"hello world", "hello-world-1"}, {"C++ & Go_1.27", "c--go_127"},
		{"Über  uns", "über--uns"}, {"hello-world-1", "hello-world-1-1"}, {"Hello World", "hello-world-2"},
	} {
		if got := slug(tt[0], seen); got != tt[1] {
			t.Errorf("%q: %q, want %q", tt[0], got, tt[1])
		}
	}
}
