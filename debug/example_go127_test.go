//go:build go1.27

package debug_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/tandemgo/tandem/debug"
	"github.com/tandemgo/tandem/ratelimit"
)

// With Go 1.27, Add is a method.
func ExampleHandler_Add() {
	var h debug.Handler
	h.Add("api", ratelimit.New(ratelimit.Per(50, time.Second), 10))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?format=json", nil))
	fmt.Println(w.Code)
	// Output: 200
}
