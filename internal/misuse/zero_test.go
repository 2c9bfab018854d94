package misuse_test

import (
	"context"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/sse"
	"github.com/tandemgo/tandem/debug"
	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/inflight"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/httplimit"
)

// zeros are pointers to a zero value of each exported type that has methods.
var zeros = []any{
	new(pool.Pool[int, int]), new(pool.Future[int]), new(pool.Group[int, int]), new(pool.Histogram), new(pool.Order[string]),
	new(pool.Stats), new(pool.PanicError), new(pool.TaskError),
	new(pipeline.ErrorAction), new(pipeline.Observer), new(pipeline.Source[int]), new(pipeline.Stage[int, int]),
	new(pipeline.StageError), new(pipeline.StageStats), new(pipeline.Stats), new(pipeline.PanicError),
	new(fan.PanicError), new(fan.TaskError),
	new(ratelimit.Decision), new(ratelimit.Keyed[string]), new(ratelimit.Limiter), new(ratelimit.Rate), new(ratelimit.Reservation), new(ratelimit.Stats), new(ratelimit.KeyedStats),
	new(broadcast.Broadcast[int]), new(broadcast.GapError), new(broadcast.Latest[int]), new(broadcast.OverflowPolicy),
	new(broadcast.Subscription[int]), new(broadcast.Topics[string, int]),
	new(broadcast.Stats), new(broadcast.SubscriptionStats),
	new(inflight.Algorithm), new(inflight.Limiter), new(inflight.Outcome), new(inflight.Permit), new(inflight.Stats),
	new(debug.Handler),
	new(httplimit.Transport[string]),
	new(sse.Handler[int]),
}

// C5: each method of each zero value, called with zero arguments, returns or panics with
// words. Neither is a panic of the runtime, and no call hangs.
func TestC5ZeroValues(t *testing.T) {
	for _, zero := range zeros {
		typ := reflect.TypeOf(zero)
		for i := range typ.NumMethod() {
			if typ.Method(i).Name == "Format" { // fmt calls it, with a state that is not nil
				continue
			}
			t.Run(strings.TrimPrefix(typ.String(), "*")+"."+typ.Method(i).Name, func(t *testing.T) {
				fresh := reflect.New(typ.Elem())
				done := make(chan string, 1)
				go func() { done <- bareErrorOf(t.Context(), fresh.Method(i)) }()
				select {
				case text := <-done:
					if text != "" {
						t.Error(text)
					}
				case <-time.After(10 * time.Second):
					t.Error("the call hangs")
				}
			})
		}
	}
}

// bareErrorOf calls the method with zero arguments and a context that soon ends, and walks
// what it returns if that is an iterator. It returns the text of a panic of the runtime.
func bareErrorOf(ctx context.Context, method reflect.Value) (text string) {
	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	defer func() {
		switch v := recover().(type) {
		case runtime.Error:
			text = fmt.Sprint("a panic of the runtime: ", v)
		case nil, string, error: // words
		default:
			text = fmt.Sprintf("a panic with a %T", v)
		}
	}()
	typ := method.Type()
	var args []reflect.Value
	for i := range typ.NumIn() {
		switch in := typ.In(i); {
		case typ.IsVariadic() && i == typ.NumIn()-1:
		case in == reflect.TypeFor[context.Context]():
			args = append(args, reflect.ValueOf(ctx))
		case in == reflect.TypeFor[http.ResponseWriter]():
			args = append(args, reflect.ValueOf(httptest.NewRecorder()))
		case in == reflect.TypeFor[*http.Request]():
			args = append(args, reflect.ValueOf(httptest.NewRequest("GET", "/", nil)))
		default:
			args = append(args, reflect.Zero(in))
		}
	}
	for _, result := range method.Call(args) {
		if result.Type().CanSeq() && result.Kind() == reflect.Func && !result.IsNil() {
			for range result.Seq() {
				break
			}
		} else if result.Type().CanSeq2() && result.Kind() == reflect.Func && !result.IsNil() {
			for range result.Seq2() {
				break
			}
		}
	}
	return ""
}

// The list of zero values is complete.
func TestC5ZeroValuesAreAll(t *testing.T) {
	listed := map[string]bool{}
	for _, zero := range zeros {
		name, _, _ := strings.Cut(reflect.TypeOf(zero).Elem().String(), "[")
		listed[name] = true
	}
	for _, folder := range []string{"pool", "pipeline", "fan", "ratelimit", "broadcast", "inflight", "debug", "ratelimit/httplimit", "broadcast/sse"} {
		for _, name := range slices.Sorted(maps.Keys(receivers(t, "../../"+folder))) {
			if name := path.Base(folder) + "." + name; !listed[name] {
				t.Errorf("%s has methods and is not listed", name)
			}
		}
	}
}

// receivers returns the exported types in a folder that have exported methods.
func receivers(t *testing.T, folder string) map[string]bool {
	pkg, err := build.ImportDir(folder, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, file := range pkg.GoFiles {
		tree, err := parser.ParseFile(token.NewFileSet(), path.Join(folder, file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range tree.Decls {
			method, ok := decl.(*ast.FuncDecl)
			if !ok || method.Recv == nil || !method.Name.IsExported() {
				continue
			}
			typ := method.Recv.List[0].Type
			if star, ok := typ.(*ast.StarExpr); ok {
				typ = star.X
			}
			switch indexed := typ.(type) {
			case *ast.IndexExpr:
				typ = indexed.X
			case *ast.IndexListExpr:
				typ = indexed.X
			}
			if name := typ.(*ast.Ident).Name; ast.IsExported(name) {
				found[name] = true
			}
		}
	}
	return found
}
