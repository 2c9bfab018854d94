package pipeline_test

import (
	"bufio"
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing/fstest"
	"time"

	"github.com/tandemgo/tandem/pipeline"
)

// files walks the regular files under root, in the order of their names. An
// error of the walk is the last pair.
func files(tree fs.FS, root string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		_ = fs.WalkDir(tree, root, func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.Type().IsRegular() {
				return nil
			}
			if !yield(name, err) {
				return fs.SkipAll
			}
			return err
		})
	}
}

// md5Of returns the line of md5sum for a file of a tree.
func md5Of(tree fs.FS) func(context.Context, string) (string, error) {
	return func(_ context.Context, name string) (string, error) {
		data, err := fs.ReadFile(tree, name)
		return fmt.Sprintf("%x  %s", md5.Sum(data), name), err
	}
}

// The digests of all files in a tree. One goroutine walks, eight read and
// digest, and the loop gets the lines in the order of the walk. Errors of the walk
// and of reading come back in the same place.
func Example_md5All() {
	tree := fstest.MapFS{
		"README":      {Data: []byte("read me")},
		"doc/one.txt": {Data: []byte("1")},
		"doc/two.txt": {Data: []byte("2")},
		"empty":       {},
	}
	digest := pipeline.Map(md5Of(tree), pipeline.WithWorkers(8), pipeline.WithName("digest"))
	for line, err := range digest.Run(context.Background(), pipeline.Seq2(files(tree, "."))) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(line)
	}
	// Output:
	// ef7b5181c1f63f8ca8eebaab0829ee38  README
	// c4ca4238a0b923820dcc509a6f75849b  doc/one.txt
	// c81e728d9d4c2f636f067f89cc14862c  doc/two.txt
	// d41d8cd98f00b204e9800998ecf8427e  empty
}

// The same, ended early: by the loop, which wants one digest only, and by an
// error of the walk. Either way the walk and the digests that are under way have
// ended when the loop has, and there is no channel to close or to drain.
func Example_md5AllCancel() {
	tree := fstest.MapFS{}
	for n := range 10_000 {
		tree[fmt.Sprintf("src/%04d", n)] = &fstest.MapFile{Data: []byte(strconv.Itoa(n))}
	}
	var begun, running atomic.Int64
	read := md5Of(tree)
	digest := pipeline.Map(func(ctx context.Context, name string) (string, error) {
		begun.Add(1)
		running.Add(1)
		defer running.Add(-1)
		return read(ctx, name)
	}, pipeline.WithWorkers(8))

	for line, err := range digest.Run(context.Background(), pipeline.Seq2(files(tree, "src"))) {
		fmt.Println(line, err)
		break
	}
	fmt.Println("all read:", begun.Load() == 10_000, "running:", running.Load())

	for _, err := range digest.Run(context.Background(), pipeline.Seq2(files(tree, "docs"))) {
		fmt.Println(err)
	}
	fmt.Println("running:", running.Load())
	// Output:
	// cfcd208495d565ef66e7dff9f98764da  src/0000 <nil>
	// all read: false running: 0
	// pipeline: stage "source": item 0: open docs: file does not exist
	// running: 0
}

// The prime sieve, a chain with a filter for each prime so far. The first number
// to come through is the next prime, and gets a filter of its own. A stage is a
// recipe: a longer chain is a new value, whose run begins behind that prime.
func Example_primeSieve() {
	indivisible := func(p int) func(context.Context, int) (bool, error) {
		return func(_ context.Context, n int) (bool, error) { return n%p != 0, nil }
	}
	after := func(n int) iter.Seq[int] {
		return func(yield func(int) bool) {
			for i := n + 1; yield(i); i++ {
			}
		}
	}

	prime, primes := 2, []int{2}
	sieve := pipeline.Filter(indivisible(2), pipeline.WithName("2"))
	for len(primes) < 10 {
		next, err := sieve.Take(1).Collect(context.Background(), pipeline.Seq(after(prime)))
		if err != nil {
			fmt.Println(err)
			return
		}
		prime = next[0]
		primes = append(primes, prime)
		sieve = sieve.Filter(indivisible(prime), pipeline.WithName(strconv.Itoa(prime)))
	}
	fmt.Println(primes)
	fmt.Println(sieve)
	// Output:
	// [2 3 5 7 11 13 17 19 23 29]
	// 2 → 3 → 5 → 7 → 11 → 13 → 17 → 19 → 23 → 29
}

// How often each word is in the Go files of this directory. Four files are read
// at once, and their words come as they are found: the order does not matter to
// a count, so it is Unordered. The map belongs to the loop and needs no lock.
func Example_wordCount() {
	dir := os.DirFS(".")
	sources := 0
	goFiles := pipeline.Filter(func(_ context.Context, name string) (bool, error) {
		return strings.HasSuffix(name, ".go"), nil
	}).Tap(func(string) { sources++ })
	words := pipeline.Then(goFiles, pipeline.FlatMap(func(_ context.Context, name string, emit func(string) error) error {
		f, err := dir.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		sc := bufio.NewScanner(f)
		sc.Split(bufio.ScanWords)
		for sc.Scan() {
			if err := emit(sc.Text()); err != nil {
				return err
			}
		}
		return sc.Err()
	}, pipeline.WithWorkers(4), pipeline.Unordered()))

	counts := map[string]int{}
	for word, err := range words.Run(context.Background(), pipeline.Seq2(files(dir, "."))) {
		if err != nil {
			fmt.Println(err)
			return
		}
		counts[word]++
	}
	fmt.Println("files:", sources > 0, "a package clause in each:", counts["package"] >= sources)
	// Output: files: true a package clause in each: true
}

// A product is what a shop has on offer.
type product struct{ ID, Price int }

// newShop serves 250 products, /0 to /249. Every fifth has no price.
func newShop() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil || id >= 250 {
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(product{ID: id, Price: id % 5 * 100})
	}))
}

// productURLs returns the addresses of the first n products of a shop.
func productURLs(shop *httptest.Server, n int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for id := range n {
			if !yield(fmt.Sprintf("%s/%d", shop.URL, id)) {
				return
			}
		}
	}
}

func getFrom(shop *httptest.Server) func(context.Context, string) (string, error) {
	return func(ctx context.Context, url string) (string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return "", err
		}
		res, err := shop.Client().Do(req)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return "", fmt.Errorf("%s: %s", req.URL.Path, res.Status)
		}
		body, err := io.ReadAll(res.Body)
		return string(body), err
	}
}

func parsePrice(_ context.Context, body string) (int, error) {
	var p product
	err := json.Unmarshal([]byte(body), &p)
	return p.Price, err
}

func hasPrice(_ context.Context, price int) (bool, error) { return price > 0, nil }

// storePrices returns how many it has stored. A real one would tell a database.
func storePrices(_ context.Context, prices []int) (int, error) { return len(prices), nil }

// Eight products are fetched at a time, in order, those without a price are
// dropped, and the prices of the others stored a hundred at a time, or when the first
// of them is a second old, by two writers. The first error ends it all.
func Example_fetchParseStore() {
	shop := newShop()
	defer shop.Close()

	fetched := pipeline.Map(getFrom(shop), pipeline.WithWorkers(8), pipeline.WithName("fetch"))
	parsed := pipeline.Then(fetched, pipeline.Map(parsePrice, pipeline.WithName("parse")))
	batched := pipeline.Then(parsed.Filter(hasPrice), pipeline.Batch[int](100, time.Second))
	stored := pipeline.Then(batched, pipeline.Map(storePrices, pipeline.WithWorkers(2), pipeline.WithName("store")))

	total := 0
	add := func(_ context.Context, n int) error { total += n; return nil }
	err := stored.ForEach(context.Background(), pipeline.Seq(productURLs(shop, 250)), add)
	fmt.Println(total, "stored, error:", err)

	err = stored.ForEach(context.Background(), pipeline.Seq(productURLs(shop, 251)), add)
	fmt.Println("error:", err)
	fmt.Println(stored)
	// Output:
	// 200 stored, error: <nil>
	// error: pipeline: stage "fetch": item 250: /250: 404 Not Found
	// fetch(8 workers) → parse → filter → batch(100, 1s) → store(2 workers)
}

// Where is the time spent? An observer watches a chain, and the picture of it
// has the figures. The stage with the thick frame is the bottleneck.
func Example_bottleneck() {
	parse := pipeline.Map(func(_ context.Context, s string) (int, error) { return strconv.Atoi(s) }, pipeline.WithName("parse"))
	store := pipeline.Map(func(_ context.Context, n int) (int, error) {
		time.Sleep(time.Millisecond) // a database takes its time
		return n, nil
	}, pipeline.WithName("store"))

	var o pipeline.Observer
	s := pipeline.Then(parse, store).Observe(&o)
	if _, err := s.Collect(context.Background(), pipeline.Seq(slices.Values(slices.Repeat([]string{"7"}, 100)))); err != nil {
		fmt.Println(err)
	}
	// What differs from run to run is left out here: which part of its time each
	// stage was busy, blocked and waiting.
	fmt.Print(regexp.MustCompile(`<br/>busy[^"]*`).ReplaceAllString(s.Mermaid(), ""))
	// Output:
	// flowchart LR
	//     s0["parse<br/>100 in, 100 out"]
	//     s1["store<br/>100 in, 100 out"]
	//     s0 --> s1
	//     style s1 stroke-width:4px
}

// Two cheap stages on one goroutine: the + says so.
func ExampleFuse() {
	trim := pipeline.Map(func(_ context.Context, s string) (string, error) { return strings.TrimSpace(s), nil }, pipeline.WithName("trim"))
	parse := pipeline.Map(func(_ context.Context, s string) (int, error) { return strconv.Atoi(s) }, pipeline.WithName("parse"))
	s := pipeline.Fuse(trim, parse)
	fmt.Println(s)
	fmt.Println(s.Collect(context.Background(), pipeline.Values(" 4", "5\n")))
	// Output:
	// trim + parse
	// [4 5] <nil>
}

// Large files are sent in parts, four at a time, while small ones pass them by.
func ExampleSplit() {
	send := func(how string) func(context.Context, int) (string, error) {
		return func(_ context.Context, size int) (string, error) { return fmt.Sprintf("%d %s", size, how), nil }
	}
	s := pipeline.Split(func(size int) bool { return size > 1000 }, map[bool]pipeline.Stage[int, string]{
		true:  pipeline.Map(send("in parts"), pipeline.WithWorkers(4), pipeline.WithName("parts")),
		false: pipeline.Map(send("at once"), pipeline.WithName("whole")),
	})
	sent, err := s.Collect(context.Background(), pipeline.Values(9000, 10, 5000, 20))
	slices.Sort(sent) // the two branches come as they are ready
	fmt.Printf("%q %v\n", sent, err)
	fmt.Println(s)
	// Output:
	// ["10 at once" "20 at once" "5000 in parts" "9000 in parts"] <nil>
	// split(false: whole | true: parts(4 workers))
}

// The events of each user stay in order, while those of different users are
// worked on in parallel.
func ExampleByKey() {
	type event struct{ user, what string }
	handle := pipeline.Map(func(_ context.Context, e *event) (*event, error) { return e, nil })
	s := pipeline.ByKey(4, func(e *event) string { return e.user }, handle)

	did := map[string][]string{}
	for e, err := range s.Run(context.Background(), pipeline.Seq(slices.Values([]*event{
		{"ann", "login"}, {"bob", "login"}, {"ann", "buy"}, {"bob", "logout"}, {"ann", "logout"},
	}))) {
		if err != nil {
			fmt.Println(err)
			return
		}
		did[e.user] = append(did[e.user], e.what)
	}
	fmt.Println(did)
	// Output: map[ann:[login buy logout] bob:[login logout]]
}

// Every order is both packed and billed.
func ExampleMerge() {
	pack := pipeline.Map(func(_ context.Context, order int) (string, error) { return fmt.Sprint("packed ", order), nil })
	bill := pipeline.Map(func(_ context.Context, order int) (string, error) { return fmt.Sprint("billed ", order), nil })
	done, err := pipeline.Merge(pack, bill).Collect(context.Background(), pipeline.Values(1, 2))
	slices.Sort(done) // the two branches come as they are ready
	fmt.Printf("%q %v\n", done, err)
	// Output: ["billed 1" "billed 2" "packed 1" "packed 2"] <nil>
}

// An item is enriched by two lookups at the same time, four of each in work, and
// what they find is joined in the order of the items.
func ExampleZip() {
	prices := map[string]int{"tea": 4, "salt": 1}
	stock := map[string]int{"tea": 12, "salt": 0}
	lookup := func(table map[string]int) pipeline.Stage[string, int] {
		return pipeline.Map(func(_ context.Context, item string) (int, error) {
			return table[item], nil // a service would be asked
		}, pipeline.WithWorkers(4))
	}
	s := pipeline.Zip(lookup(prices), lookup(stock), func(price, left int) string {
		return fmt.Sprintf("%d left at %d", left, price)
	})
	offers, err := s.Collect(context.Background(), pipeline.Values("tea", "salt"))
	fmt.Printf("%q %v\n", offers, err)
	// Output: ["12 left at 4" "0 left at 1"] <nil>
}

// A price that is not known is 0. Any other error ends the run.
func ExampleMapOr() {
	errUnknown := errors.New("unknown")
	prices := pipeline.MapOr(func(_ context.Context, item string) (int, error) {
		if item != "tea" {
			return 0, errUnknown
		}
		return 4, nil
	}, func(_ context.Context, f pipeline.Failure[string]) (int, error) {
		if errors.Is(f.Err, errUnknown) {
			return 0, nil
		}
		return 0, f.Err
	})
	fmt.Println(prices.Collect(context.Background(), pipeline.Values("tea", "gold", "tea")))
	// Output: [4 0 4] <nil>
}

// Lines that are no numbers go to a dead-letter queue with their errors, and the run goes
// on. A number that is too large ends it.
func ExampleErrSkip() {
	var letters []string
	parse := pipeline.MapOr(func(_ context.Context, line string) (int, error) { return strconv.Atoi(line) },
		func(_ context.Context, f pipeline.Failure[string]) (int, error) {
			if !errors.Is(f.Err, strconv.ErrSyntax) {
				return 0, f.Err
			}
			letters = append(letters, fmt.Sprintf("%q: %v, %d attempt", f.Item, errors.Unwrap(f.Err), f.Attempts))
			return 0, pipeline.ErrSkip
		})
	fmt.Println(parse.Collect(context.Background(), pipeline.Values("1", "two", "3", "")))
	fmt.Println(strings.Join(letters, "\n"))
	// Output:
	// [1 3] <nil>
	// "two": invalid syntax, 1 attempt
	// "": invalid syntax, 1 attempt
}
